// SPDX-License-Identifier: Apache-2.0
#include "backends/agent/native/guest_message_size.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/link/link_limits.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd {

namespace {

using agent::v1::GuestMessage;
using agent::v1::ProcessList;
using agent::v1::Reply;
using agent::v1::Stats;
using google::protobuf::internal::WireFormatLite;

// Of a message as short as this, nothing parsed is worth a look.
constexpr size_t kSmallBytes = size_t{8} << 10;

// A repeated field, by the numbers of the fields that lead to it.
struct Table {
  std::vector<int> path;
  size_t most;
  const char* entries;
};

const std::vector<Table>& Tables() {
  static const auto* const tables = new std::vector<Table>{
      {{GuestMessage::kHelloAckFieldNumber, agent::v1::HelloAck::kProcessesFieldNumber},
       kMaxGuestProcesses,
       "processes"},
      {{GuestMessage::kReplyFieldNumber, Reply::kProcessListFieldNumber, ProcessList::kProcessesFieldNumber},
       kMaxGuestProcesses,
       "listed processes"},
      {{GuestMessage::kReplyFieldNumber, Reply::kProcessListFieldNumber, ProcessList::kProcessesFieldNumber,
        ProcessList::Entry::kArgsFieldNumber},
       65536,
       "arguments"},
      {{GuestMessage::kReplyFieldNumber, Reply::kStatsFieldNumber, Stats::kContainersFieldNumber}, 4096, "containers"},
      {{GuestMessage::kReplyFieldNumber, Reply::kStatsFieldNumber, Stats::kContainersFieldNumber,
        Stats::Container::kFiguresFieldNumber},
       65536,
       "figures of containers"},
      {{GuestMessage::kReplyFieldNumber, Reply::kStatsFieldNumber, Stats::kGuestFieldNumber}, 4096, "figures"},
  };
  return *tables;
}

// Entries of the table at `path`, from its `level` on. What cannot be read ends the count: the parser will not go on
// there either.
size_t CountEntries(std::string_view message, const std::vector<int>& path, size_t level = 0) {
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(message.data()),
                                            static_cast<int>(message.size()));
  size_t count = 0;
  while (const uint32_t tag = in.ReadTag()) {
    if (WireFormatLite::GetTagFieldNumber(tag) != path[level] ||
        WireFormatLite::GetTagWireType(tag) != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      if (!WireFormatLite::SkipField(&in, tag)) break;
      continue;
    }
    if (level + 1 == path.size()) ++count;
    uint32_t size = 0;
    if (!in.ReadVarint32(&size)) break;
    const std::string_view part = message.substr(static_cast<size_t>(in.CurrentPosition()), size);
    if (level + 1 < path.size()) count += CountEntries(part, path, level + 1);
    if (part.size() != size || !in.Skip(static_cast<int>(size))) break;
  }
  return count;
}

}  // namespace

absl::Status CheckGuestMessageSize(std::string_view body) {
  if (body.size() <= kSmallBytes) return absl::OkStatus();
  for (const Table& table : Tables()) {
    const size_t count = CountEntries(body, table.path);
    if (count > table.most) {
      return absl::InvalidArgumentError(absl::StrCat("a message of ", count, " ", table.entries));
    }
  }
  return absl::OkStatus();
}

}  // namespace vcd

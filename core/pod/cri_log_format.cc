// SPDX-License-Identifier: Apache-2.0
#include "core/pod/cri_log_format.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace vcd {
namespace {

constexpr char kTimeFormat[] = "%Y-%m-%d%ET%H:%M:%E9SZ";

}  // namespace

std::string FormatCriLog(StdStream stream, absl::string_view data, absl::Time time) {
  const std::string head = absl::StrCat(absl::FormatTime(kTimeFormat, time, absl::UTCTimeZone()),
                                        stream == StdStream::kStdout ? " stdout " : " stderr ");
  std::string records;
  records.reserve(data.size() + head.size() + 8);
  while (!data.empty()) {
    const size_t newline = data.find('\n');
    const bool whole = newline != absl::string_view::npos;
    const absl::string_view part = data.substr(0, newline);
    absl::StrAppend(&records, head, whole ? "F " : "P ", part, "\n");
    data.remove_prefix(part.size() + (whole ? 1 : 0));
  }
  return records;
}

std::optional<CriRecord> ParseCriRecord(absl::string_view text) {
  const size_t end = text.find('\n');
  if (end == absl::string_view::npos) return std::nullopt;
  CriRecord record;
  record.size = end + 1;
  const absl::string_view line = text.substr(0, end);
  const size_t time_end = line.find(' ');
  if (time_end == absl::string_view::npos) return record;
  // "<stream> <tag> " has one length: "stdout F ".
  const absl::string_view rest = line.substr(time_end + 1);
  constexpr size_t kHeadSize = 9;
  const bool is_stdout = absl::StartsWith(rest, "stdout ");
  if (rest.size() < kHeadSize || (!is_stdout && !absl::StartsWith(rest, "stderr "))) return record;
  record.ends_line = rest[7] == 'F';
  record.chunk.stream = is_stdout ? StdStream::kStdout : StdStream::kStderr;
  record.chunk.data = std::string(rest.substr(kHeadSize));
  if (record.ends_line) record.chunk.data.push_back('\n');
  std::string ignored;
  if (!absl::ParseTime(absl::RFC3339_full, std::string(line.substr(0, time_end)), &record.chunk.time, &ignored)) {
    record.chunk.time = absl::UnixEpoch();
  }
  return record;
}

}  // namespace vcd

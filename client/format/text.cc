// SPDX-License-Identifier: Apache-2.0
#include "client/format/text.h"

#include <cstring>
#include <iterator>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace vcd::client {
namespace {

std::string EnumWord(const std::string& name, const char* prefix, int number) {
  return absl::StartsWith(name, prefix) ? absl::AsciiStrToLower(name.substr(strlen(prefix))) : absl::StrCat(number);
}

}  // namespace

std::string Printable(const std::string& text, bool keep_newlines) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '\n' || c == '\t') {
      result.push_back(c == '\n' && keep_newlines ? '\n' : ' ');
    } else if (c < 0x20 || c == 0x7f) {
      result.push_back('?');
    } else if (c == 0xc2 && i + 1 < text.size() && (text[i + 1] & 0xe0) == 0x80) {
      result.push_back('?');  // U+0080 … U+009F: control characters in two bytes.
      ++i;
    } else {
      result.push_back(text[i]);
    }
  }
  return result;
}

std::string Brief(const std::string& text) {
  constexpr size_t kMost = 80;
  const std::string line = text.substr(0, text.find('\n'));
  bool cut = line.size() != text.size();
  size_t end = 0;
  size_t last = 0;
  size_t characters = 0;
  // Characters, not bytes: continuation bytes of UTF-8 belong to the one before.
  for (; end < line.size(); ++end) {
    if ((line[end] & 0xc0) == 0x80) continue;
    if (characters == kMost) break;
    last = end;
    ++characters;
  }
  if (end < line.size()) cut = true;
  if (!cut) return line;
  return absl::StrCat(line.substr(0, characters < kMost ? end : last), "…");
}

std::string Word(v1::PodState state) { return EnumWord(v1::PodState_Name(state), "POD_STATE_", state); }
std::string Word(v1::ContainerState state) {
  return EnumWord(v1::ContainerState_Name(state), "CONTAINER_STATE_", state);
}
std::string Word(v1::EventType type) { return EnumWord(v1::EventType_Name(type), "EVENT_TYPE_", type); }

std::string ExitWord(const v1::ExitStatus& status) {
  if (status.oom_killed()) return absl::StrCat(status.code(), " (out of memory)");
  return status.signal() == 0 ? absl::StrCat(status.code())
                              : absl::StrCat(status.code(), " (signal ", status.signal(), ")");
}

std::string Age(absl::Duration age) {
  // The clocks of two readings may differ by a little; nothing is from the future.
  const int64_t seconds = age < absl::ZeroDuration() ? 0 : absl::ToInt64Seconds(age);
  if (seconds < 120) return absl::StrCat(seconds, "s");
  if (seconds < 120 * 60) return absl::StrCat(seconds / 60, "m");
  if (seconds < 48 * 3600) return absl::StrCat(seconds / 3600, "h");
  return absl::StrCat(seconds / 86400, "d");
}

std::string Bytes(uint64_t bytes) {
  if (bytes < 1024) return absl::StrCat(bytes, "B");
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; value >= 1023.95 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  return absl::StrFormat("%.1f%s", value, kUnits[unit]);
}

absl::Time ToTime(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixSeconds(timestamp.seconds()) + absl::Nanoseconds(timestamp.nanos());
}

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  google::protobuf::Timestamp timestamp;
  const int64_t seconds = absl::ToUnixSeconds(time);
  timestamp.set_seconds(seconds);
  timestamp.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
  return timestamp;
}

}  // namespace vcd::client

// SPDX-License-Identifier: Apache-2.0
#include "core/device/host_mounts.h"

#include <sys/sysmacros.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <optional>
#undef major
#undef minor

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

bool IsOctal(char c) { return c >= '0' && c <= '7'; }

// Blanks, line ends and backslashes stand as \040 and the like.
std::string Unescape(absl::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && IsOctal(text[i + 1]) && IsOctal(text[i + 2]) &&
        IsOctal(text[i + 3])) {
      result.push_back(static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0')));
      i += 3;
    } else {
      result.push_back(text[i]);
    }
  }
  return result;
}

// "36 35 98:0 /root /point options optional… - type source super-options".
std::optional<HostMount> ParseLine(absl::string_view line) {
  const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ');
  size_t separator = 6;
  while (separator < fields.size() && fields[separator] != "-") ++separator;
  if (separator + 3 >= fields.size()) return std::nullopt;
  const std::vector<absl::string_view> numbers = absl::StrSplit(fields[2], ':');
  unsigned major = 0, minor = 0;
  if (numbers.size() != 2 || !absl::SimpleAtoi(numbers[0], &major) || !absl::SimpleAtoi(numbers[1], &minor)) {
    return std::nullopt;
  }
  HostMount mount;
  mount.device = makedev(major, minor);
  mount.root = Unescape(fields[3]);
  mount.mount_point = Unescape(fields[4]);
  mount.fs_type = Unescape(fields[separator + 1]);
  mount.source = Unescape(fields[separator + 2]);
  const absl::string_view options = fields[separator + 3];
  mount.readonly = options == "ro" || absl::StartsWith(options, "ro,");
  return mount;
}

}  // namespace

std::vector<HostMount> ParseMountinfo(absl::string_view text) {
  std::vector<HostMount> mounts;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    if (std::optional<HostMount> mount = ParseLine(line)) mounts.push_back(*std::move(mount));
  }
  return mounts;
}

absl::StatusOr<std::vector<HostMount>> ReadHostMounts(const HostTree& host) {
  std::ifstream file(host.mountinfo);
  if (!file) return PosixError(errno, absl::StrCat("open ", host.mountinfo));
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return ParseMountinfo(text);
}

}  // namespace vcd

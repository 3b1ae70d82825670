// SPDX-License-Identifier: Apache-2.0
#include "daemon/check/kernel_files.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace vcd {
namespace {

// Hosts of many pods have thousands of mounts; this is enough for ten thousand.
constexpr size_t kMaxTextBytes = 4 << 20;

}  // namespace

std::string KernelText(const Host& host, const std::string& path) {
  const absl::StatusOr<std::string> text = host.Read(path, 0, kMaxTextBytes);
  return text.ok() ? std::string(absl::StripTrailingAsciiWhitespace(*text)) : "";
}

std::optional<uint64_t> KernelNumber(const Host& host, const std::string& path) {
  uint64_t value = 0;
  if (!absl::SimpleAtoi(KernelText(host, path), &value)) return std::nullopt;
  return value;
}

std::optional<uint64_t> MemoryInfo(const Host& host, const std::string& name) {
  for (const absl::string_view line : absl::StrSplit(KernelText(host, "/proc/meminfo"), '\n')) {
    const std::vector<std::string> words = absl::StrSplit(line, absl::ByAnyChar(": "), absl::SkipEmpty());
    uint64_t value = 0;
    if (words.size() >= 2 && words[0] == name && absl::SimpleAtoi(words[1], &value)) return value;
  }
  return std::nullopt;
}

std::vector<MountedFilesystem> Mounts(const Host& host) {
  std::vector<MountedFilesystem> mounts;
  for (const absl::string_view line : absl::StrSplit(KernelText(host, "/proc/self/mountinfo"), '\n')) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    const auto dash = std::find(words.begin(), words.end(), "-");
    if (words.size() < 6 || words.end() - dash < 4) continue;
    mounts.push_back({absl::StrReplaceAll(words[4], {{"\\040", " "}}), dash[1], words[5], dash[3]});
  }
  return mounts;
}

bool HasOption(const std::string& options, const std::string& option) {
  const std::vector<std::string> list = absl::StrSplit(options, ',');
  return std::find(list.begin(), list.end(), option) != list.end();
}

}  // namespace vcd

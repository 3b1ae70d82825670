// SPDX-License-Identifier: Apache-2.0
#include "core/os/host_memory.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/os/proc_file.h"

namespace vcd {
namespace {

// "  8000000 kB"
std::optional<uint64_t> Bytes(absl::string_view figure) {
  uint64_t kib = 0;
  if (!absl::ConsumeSuffix(&figure, " kB") || !absl::SimpleAtoi(absl::StripAsciiWhitespace(figure), &kib)) {
    return std::nullopt;
  }
  return kib << 10;
}

}  // namespace

std::optional<HostMemory> ReadHostMemory(const std::string& path) {
  std::string content;
  if (!ReadProcFile(path, &content)) return std::nullopt;
  std::optional<uint64_t> total, available;
  for (absl::string_view line : absl::StrSplit(content, '\n')) {
    if (absl::ConsumePrefix(&line, "MemTotal:")) total = Bytes(line);
    if (absl::ConsumePrefix(&line, "MemAvailable:")) available = Bytes(line);
  }
  if (!total.has_value() || !available.has_value()) return std::nullopt;
  return HostMemory{*total, *available};
}

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/process_stats.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace vcd {
namespace {

std::string ReadProcFile(const char* path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

uint64_t NumberAt(const std::vector<absl::string_view>& fields, size_t index) {
  uint64_t number = 0;
  if (index < fields.size() && !absl::SimpleAtoi(fields[index], &number)) number = 0;
  return number;
}

}  // namespace

ProcessStats ReadProcessStats() {
  ProcessStats stats;
  const std::string stat = ReadProcFile("/proc/self/stat");
  // The name in parentheses may hold anything; proc(5) counts from 1, and what follows it begins with field 3.
  const size_t name_end = stat.rfind(')');
  if (name_end != std::string::npos) {
    const absl::string_view rest(stat.data() + name_end + 1, stat.size() - name_end - 1);
    const std::vector<absl::string_view> fields = absl::StrSplit(rest, ' ', absl::SkipWhitespace());
    const uint64_t ticks = NumberAt(fields, 14 - 3) + NumberAt(fields, 15 - 3);
    stats.cpu_seconds = static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
    stats.threads = NumberAt(fields, 20 - 3);
    stats.virtual_bytes = NumberAt(fields, 23 - 3);
    stats.resident_bytes = NumberAt(fields, 24 - 3) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  }
  std::error_code error;
  std::filesystem::directory_iterator fd("/proc/self/fd", error);
  while (!error && fd != std::filesystem::directory_iterator()) {
    ++stats.open_fds;
    fd.increment(error);
  }
  // The one that was open to count them.
  if (stats.open_fds > 0) --stats.open_fds;
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) stats.max_fds = limit.rlim_cur;
  return stats;
}

}  // namespace vcd

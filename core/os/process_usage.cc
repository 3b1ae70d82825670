// SPDX-License-Identifier: Apache-2.0
#include "core/os/process_usage.h"

#include <unistd.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/os/proc_file.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// Fields of /proc/<pid>/stat behind the name, which may hold anything: the first is number 3 of proc(5).
constexpr size_t kFirstField = 3;
constexpr size_t kUserTime = 14 - kFirstField;
constexpr size_t kSystemTime = 15 - kFirstField;
constexpr size_t kThreads = 20 - kFirstField;
constexpr uint64_t kKib = 1024;

// "Rss:      123 kB"; 0 when there is no such line.
uint64_t Kilobytes(const std::string& text, absl::string_view key) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::ConsumePrefix(&line, key) || !absl::ConsumePrefix(&line, ":")) continue;
    uint64_t value = 0;
    absl::ConsumeSuffix(&line, "kB");
    return absl::SimpleAtoi(line, &value) ? value : 0;
  }
  return 0;
}

}  // namespace

absl::StatusOr<ProcessUsage> ParseProcessUsage(const std::string& stat, const std::string& smaps_rollup) {
  const size_t name_end = stat.rfind(')');
  const std::vector<std::string> fields = name_end == std::string::npos || name_end + 2 > stat.size()
                                              ? std::vector<std::string>()
                                              : absl::StrSplit(stat.substr(name_end + 2), ' ');
  uint64_t user = 0;
  uint64_t system = 0;
  ProcessUsage usage;
  if (fields.size() <= kThreads || !absl::SimpleAtoi(fields[kUserTime], &user) ||
      !absl::SimpleAtoi(fields[kSystemTime], &system) || !absl::SimpleAtoi(fields[kThreads], &usage.threads)) {
    return absl::DataLossError("/proc/<pid>/stat: not as proc(5) says");
  }
  usage.cpu_time = absl::Seconds(1) * static_cast<int64_t>(user + system) / sysconf(_SC_CLK_TCK);
  usage.rss_bytes = Kilobytes(smaps_rollup, "Rss") * kKib;
  usage.pss_bytes = Kilobytes(smaps_rollup, "Pss") * kKib;
  usage.private_bytes = (Kilobytes(smaps_rollup, "Private_Clean") + Kilobytes(smaps_rollup, "Private_Dirty") +
                         Kilobytes(smaps_rollup, "Private_Hugetlb")) *
                        kKib;
  usage.anonymous_bytes = Kilobytes(smaps_rollup, "Anonymous") * kKib;
  return usage;
}

absl::StatusOr<ProcessUsage> ReadProcessUsage(const ProcessIdentity& identity) {
  const std::string directory = absl::StrCat("/proc/", identity.pid);
  std::string stat;
  std::string memory;
  const bool read = ReadProcFile(directory + "/stat", &stat) && ReadProcFile(directory + "/smaps_rollup", &memory);
  // Looked up after the reading: what was read before is of whoever still has the pid.
  VCD_ASSIGN_OR_RETURN(const ProcessIdentity now, IdentifyProcess(identity.pid));
  if (!read || !(now == identity)) return absl::NotFoundError(absl::StrCat("process ", identity.pid, " has ended"));
  return ParseProcessUsage(stat, memory);
}

std::vector<ProcessIdentity> ChildrenOf(const ProcessIdentity& identity) {
  std::vector<ProcessIdentity> children;
  std::string pids;
  if (!ReadProcFile(absl::StrCat("/proc/", identity.pid, "/task/", identity.pid, "/children"), &pids)) return children;
  for (const absl::string_view text : absl::StrSplit(pids, ' ', absl::SkipWhitespace())) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(text, &pid)) continue;
    absl::StatusOr<ProcessIdentity> child = IdentifyProcess(pid);
    if (child.ok()) children.push_back(*std::move(child));
  }
  return children;
}

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_PROCESS_USAGE_H_
#define VCD_CORE_OS_PROCESS_USAGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/os/process.h"

namespace vcd {

// What a process uses of its host. Kernel threads and shared pages are counted where they belong.
struct ProcessUsage {
  absl::Duration cpu_time;       // In user and kernel mode, of all its threads; a guest's is among it.
  uint64_t rss_bytes = 0;        // Resident memory.
  uint64_t pss_bytes = 0;        // The same, with pages that others have too shared out among them.
  uint64_t private_bytes = 0;    // Pages that no other process has.
  uint64_t anonymous_bytes = 0;  // Pages of no file: its own, and what it changed of a file that it maps for itself.
  uint32_t threads = 0;
};

// Of exactly that process. kNotFound when it is gone or another has its pid. Blocks for as long as the kernel takes to
// walk its memory: some milliseconds for a large one.
absl::StatusOr<ProcessUsage> ReadProcessUsage(const ProcessIdentity& identity);

// The processes that it is the parent of, at this moment.
std::vector<ProcessIdentity> ChildrenOf(const ProcessIdentity& identity);

// The texts of /proc/<pid>/stat and /proc/<pid>/smaps_rollup. kDataLoss when they are none.
absl::StatusOr<ProcessUsage> ParseProcessUsage(const std::string& stat, const std::string& smaps_rollup);

}  // namespace vcd

#endif  // VCD_CORE_OS_PROCESS_USAGE_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_METRICS_PROCESS_STATS_H_
#define VCD_DAEMON_METRICS_PROCESS_STATS_H_

#include <cstdint>

namespace vcd {

// What the kernel says of this process. What cannot be read is 0.
struct ProcessStats {
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  uint64_t open_fds = 0;
  uint64_t max_fds = 0;  // The soft limit.
  uint64_t threads = 0;
  double cpu_seconds = 0;  // User and system.
};

// Reads /proc/self; the time goes with the number of open descriptors.
ProcessStats ReadProcessStats();

}  // namespace vcd

#endif  // VCD_DAEMON_METRICS_PROCESS_STATS_H_

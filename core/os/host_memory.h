// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_HOST_MEMORY_H_
#define VCD_CORE_OS_HOST_MEMORY_H_

#include <cstdint>
#include <optional>
#include <string>

namespace vcd {

// What memory this host has.
struct HostMemory {
  uint64_t total_bytes = 0;
  uint64_t available_bytes = 0;  // Without swapping, as the kernel estimates it.
};

// Out of a meminfo of proc(5); nothing when it cannot be read or does not say both.
std::optional<HostMemory> ReadHostMemory(const std::string& path = "/proc/meminfo");

}  // namespace vcd

#endif  // VCD_CORE_OS_HOST_MEMORY_H_

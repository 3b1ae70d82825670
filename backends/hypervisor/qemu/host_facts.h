// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_HOST_FACTS_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_HOST_FACTS_H_

#include <cstdint>
#include <string>

namespace vcd {

// What machines are fitted to.
struct HostFacts {
  uint32_t cpus = 1;
  uint32_t memory_mib = 0;  // 0 when it is not told.
  bool is_virtual = false;  // The host is a virtual machine itself.
};

// Out of `cpuinfo` and `meminfo` of a proc file system (proc(5)). What cannot be read keeps its default.
HostFacts ReadHostFacts(const std::string& proc = "/proc");

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_HOST_FACTS_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_GUEST_KERNEL_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_GUEST_KERNEL_H_

#include <cstdint>
#include <string>

namespace vcd {

// What the headers of a guest's kernel, a vmlinux or a bzImage, say of it.
struct GuestKernel {
  uint64_t memory_bytes = 0;  // That it takes once it is loaded; 0 when it does not say.
  std::string problem;        // Why an ELF file can be no kernel; empty when nothing is known to be wrong.
};

// Reads no more than the headers. What cannot be read, and a file of another kind, says nothing.
GuestKernel ReadGuestKernel(const std::string& path);

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_GUEST_KERNEL_H_

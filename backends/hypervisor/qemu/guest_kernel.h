// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_GUEST_KERNEL_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_GUEST_KERNEL_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace vcd {

enum class GuestKernelFormat { kOther, kVmlinux, kBzImage };

// What the headers of a guest's kernel say of it.
struct GuestKernel {
  GuestKernelFormat format = GuestKernelFormat::kOther;
  bool is_x86_64 = false;      // Of a vmlinux: it is for such machines.
  bool has_pvh_entry = false;  // Of a vmlinux: QEMU can jump into it without a boot loader.
  uint64_t memory_bytes = 0;   // That it takes once it is loaded; 0 when it does not say.
  std::string problem;         // Why an ELF file can be no kernel; empty when nothing is known to be wrong.
};

// A file that may be a kernel, however it is reached.
struct GuestKernelFile {
  uint64_t bytes = 0;  // Its size.
  // At most `max_bytes` from `offset` on; fewer where the file ends or cannot be read.
  std::function<std::string(uint64_t offset, size_t max_bytes)> read;
};

// Reads no more than the headers and notes. What cannot be read, and a file of another kind, says nothing.
GuestKernel ReadGuestKernel(const GuestKernelFile& file);
// A regular file of this host. Blocks for the disk.
GuestKernel ReadGuestKernel(const std::string& path);

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_GUEST_KERNEL_H_

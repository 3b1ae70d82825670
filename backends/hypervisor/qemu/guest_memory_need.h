// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_GUEST_MEMORY_NEED_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_GUEST_MEMORY_NEED_H_

#include <cstdint>
#include <string>

namespace vcd {

// The memory in MiB with which a guest of that kernel, a vmlinux or a bzImage, and that initramfs reaches its agent, by
// what they say of themselves: guests differ by a factor of two. What cannot be read counts as nothing.
uint32_t GuestMemoryNeedMib(const std::string& kernel_path, const std::string& initrd_path);

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_GUEST_MEMORY_NEED_H_

// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/guest_memory_need.h"

#include <sys/stat.h>

#include <algorithm>

#include "backends/hypervisor/qemu/guest_kernel.h"
#include "core/hypervisor/machine_size.h"

namespace vcd {
namespace {

constexpr uint64_t kMib = 1 << 20;
// By what guests of 36 and of 92 MiB were found to need at least: an initramfs is there as it came and unpacked, and
// what is loaded of it, modules above all, is there once more; the rest is tables, and what the agent works with.
constexpr uint64_t kCopiesOfInitrd = 3;
constexpr uint64_t kBesideFilesBytes = 24 * kMib;

uint64_t FileBytes(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) ? static_cast<uint64_t>(info.st_size) : 0;
}

}  // namespace

uint32_t GuestMemoryNeedMib(const std::string& kernel_path, const std::string& initrd_path) {
  const uint64_t initrd = std::min(FileBytes(initrd_path), uint64_t{kMaxMemoryMib} * kMib);
  const uint64_t files = ReadGuestKernel(kernel_path).memory_bytes + kCopiesOfInitrd * initrd;
  if (files == 0) return kMinMemoryMib;
  const uint64_t mib = (files + kBesideFilesBytes + kMib - 1) / kMib;
  return static_cast<uint32_t>(std::clamp<uint64_t>(mib, kMinMemoryMib, kMaxMemoryMib));
}

}  // namespace vcd

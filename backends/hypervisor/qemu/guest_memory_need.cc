// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/guest_memory_need.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "core/hypervisor/machine_size.h"
#include "core/os/unique_fd.h"

namespace vcd {
namespace {

constexpr uint64_t kMib = 1 << 20;
// By what guests of 36 and of 92 MiB were found to need at least: an initramfs is there as it came and unpacked, and
// what is loaded of it, modules above all, is there once more; the rest is tables, and what the agent works with.
constexpr uint64_t kCopiesOfInitrd = 3;
constexpr uint64_t kBesideFilesBytes = 24 * kMib;
constexpr int kMaxProgramHeaders = 64;

// The boot protocol of x86 (Documentation/arch/x86/boot.rst), of which `init_size` is part since version 2.10.
constexpr off_t kBootMagicOffset = 0x202;
constexpr char kBootMagic[] = {'H', 'd', 'r', 'S'};
constexpr off_t kBootVersionOffset = 0x206;
constexpr uint16_t kBootVersionWithInitSize = 0x20a;
constexpr off_t kInitSizeOffset = 0x260;

template <typename T>
bool ReadAt(const UniqueFd& file, off_t offset, T* value) {
  return pread(file.get(), value, sizeof(*value), offset) == static_cast<ssize_t>(sizeof(*value));
}

// Its segments, with what is zero at first and so not in the file.
uint64_t SegmentsBytes(const UniqueFd& file, const Elf64_Ehdr& header) {
  uint64_t bytes = 0;
  for (int i = 0; i < std::min<int>(header.e_phnum, kMaxProgramHeaders); ++i) {
    Elf64_Phdr segment;
    if (!ReadAt(file, static_cast<off_t>(header.e_phoff) + i * off_t{header.e_phentsize}, &segment)) break;
    // A segment beyond any memory is nothing that a kernel has; the sum cannot overflow.
    if (segment.p_type == PT_LOAD) bytes += std::min(segment.p_memsz, uint64_t{kMaxMemoryMib} * kMib);
  }
  return bytes;
}

uint64_t KernelBytes(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) return 0;
  Elf64_Ehdr header;
  if (ReadAt(file, 0, &header) && std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0) {
    return header.e_ident[EI_CLASS] == ELFCLASS64 ? SegmentsBytes(file, header) : 0;
  }
  char magic[sizeof(kBootMagic)];
  uint16_t version = 0;
  uint32_t init_size = 0;
  if (!ReadAt(file, kBootMagicOffset, &magic) || std::memcmp(magic, kBootMagic, sizeof(magic)) != 0) return 0;
  if (!ReadAt(file, kBootVersionOffset, &version) || version < kBootVersionWithInitSize) return 0;
  return ReadAt(file, kInitSizeOffset, &init_size) ? init_size : 0;
}

uint64_t FileBytes(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) ? static_cast<uint64_t>(info.st_size) : 0;
}

}  // namespace

uint32_t GuestMemoryNeedMib(const std::string& kernel_path, const std::string& initrd_path) {
  const uint64_t initrd = std::min(FileBytes(initrd_path), uint64_t{kMaxMemoryMib} * kMib);
  const uint64_t files = KernelBytes(kernel_path) + kCopiesOfInitrd * initrd;
  if (files == 0) return kMinMemoryMib;
  const uint64_t mib = (files + kBesideFilesBytes + kMib - 1) / kMib;
  return static_cast<uint32_t>(std::clamp<uint64_t>(mib, kMinMemoryMib, kMaxMemoryMib));
}

}  // namespace vcd

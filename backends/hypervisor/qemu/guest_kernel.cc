// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/guest_kernel.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/os/unique_fd.h"

namespace vcd {
namespace {

constexpr int kMaxProgramHeaders = 64;
// KERNEL_IMAGE_SIZE of x86-64 at its largest: what a kernel maps of itself.
constexpr uint64_t kMaxKernelBytes = uint64_t{1} << 30;

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

bool IsWithin(uint64_t offset, uint64_t bytes, uint64_t file_bytes) {
  return offset <= file_bytes && bytes <= file_bytes - offset;
}

GuestKernel Damaged(const std::string& how) { return {0, absl::StrCat("is damaged or no kernel: ", how)}; }

// Counts its segments, with what is zero at first and so not in the file.
GuestKernel ReadVmlinux(const UniqueFd& file, uint64_t file_bytes) {
  Elf64_Ehdr header;
  if (!ReadAt(file, 0, &header)) return Damaged("the file ends within its ELF header");
  // One for machines of 32 bits has other headers.
  if (header.e_ident[EI_CLASS] == ELFCLASS32) return {};
  if (header.e_phnum == 0) return Damaged("it has no program headers");
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > kMaxProgramHeaders) {
    return Damaged(absl::StrCat("it has ", header.e_phnum, " program headers of ", header.e_phentsize, " bytes, not ",
                                sizeof(Elf64_Phdr), " and ", kMaxProgramHeaders, " of them at most"));
  }
  if (!IsWithin(header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr), file_bytes)) {
    return Damaged(absl::StrCat("its program headers are beyond the end of the file, of ", file_bytes, " bytes"));
  }
  GuestKernel kernel;
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    if (!ReadAt(file, static_cast<off_t>(header.e_phoff + i * sizeof(segment)), &segment)) {
      return Damaged("its program headers cannot be read");
    }
    if (segment.p_type == PT_NULL) continue;
    if (!IsWithin(segment.p_offset, segment.p_filesz, file_bytes)) {
      return Damaged(absl::StrCat("segment ", i, " is beyond the end of the file, of ", file_bytes, " bytes"));
    }
    if (segment.p_type != PT_LOAD) continue;
    if (segment.p_memsz < segment.p_filesz || segment.p_memsz > kMaxKernelBytes - kernel.memory_bytes) {
      return Damaged(absl::StrCat("segment ", i, " has ", segment.p_filesz, " bytes in the file and ", segment.p_memsz,
                                  " in memory, where a kernel has ", kMaxKernelBytes, " at most"));
    }
    kernel.memory_bytes += segment.p_memsz;
  }
  return kernel.memory_bytes != 0 ? kernel : Damaged("it has no segment to load");
}

}  // namespace

GuestKernel ReadGuestKernel(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info;
  if (!file.valid() || fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
  char elf_magic[SELFMAG];
  if (ReadAt(file, 0, &elf_magic) && std::memcmp(elf_magic, ELFMAG, SELFMAG) == 0) {
    return ReadVmlinux(file, static_cast<uint64_t>(info.st_size));
  }
  char magic[sizeof(kBootMagic)];
  uint16_t version = 0;
  uint32_t init_size = 0;
  if (!ReadAt(file, kBootMagicOffset, &magic) || std::memcmp(magic, kBootMagic, sizeof(magic)) != 0) return {};
  if (!ReadAt(file, kBootVersionOffset, &version) || version < kBootVersionWithInitSize) return {};
  if (!ReadAt(file, kInitSizeOffset, &init_size)) return {};
  return {init_size, ""};
}

}  // namespace vcd

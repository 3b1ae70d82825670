// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/guest_kernel.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/os/unique_fd.h"

namespace vcd {
namespace {

constexpr int kMaxProgramHeaders = 64;
// KERNEL_IMAGE_SIZE of x86-64 at its largest: what a kernel maps of itself.
constexpr uint64_t kMaxKernelBytes = uint64_t{1} << 30;
constexpr uint64_t kMaxNoteBytes = 64 << 10;
constexpr uint32_t kPvhNote = 18;  // XEN_ELFNOTE_PHYS32_ENTRY.

// The boot protocol of x86 (Documentation/arch/x86/boot.rst), of which `init_size` is part since version 2.10.
constexpr uint64_t kBootMagicOffset = 0x202;
constexpr char kBootMagic[] = "HdrS";
constexpr uint64_t kBootVersionOffset = 0x206;
constexpr uint16_t kBootVersionWithInitSize = 0x20a;
constexpr uint64_t kInitSizeOffset = 0x260;

template <typename T>
bool ReadAt(const GuestKernelFile& file, uint64_t offset, T* value) {
  const std::string bytes = file.read(offset, sizeof(*value));
  if (bytes.size() != sizeof(*value)) return false;
  std::memcpy(value, bytes.data(), sizeof(*value));
  return true;
}

bool IsWithin(uint64_t offset, uint64_t bytes, uint64_t file_bytes) {
  return offset <= file_bytes && bytes <= file_bytes - offset;
}

// Whether notes hold the entry that QEMU jumps to.
bool HasPvhNote(const std::string& notes) {
  uint64_t at = 0;
  while (at + sizeof(Elf64_Nhdr) <= notes.size()) {
    Elf64_Nhdr note;
    std::memcpy(&note, notes.data() + at, sizeof(note));
    at += sizeof(note);
    if (note.n_type == kPvhNote && note.n_namesz == 4 && notes.compare(at, 4, std::string("Xen\0", 4)) == 0) {
      return true;
    }
    at += ((uint64_t{note.n_namesz} + 3) & ~uint64_t{3}) + ((uint64_t{note.n_descsz} + 3) & ~uint64_t{3});
  }
  return false;
}

// Why the header names no segments that can be read; empty when it does.
std::string ProblemOfHeader(const Elf64_Ehdr& header, uint64_t file_bytes) {
  if (header.e_phnum == 0) return "it has no program headers";
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > kMaxProgramHeaders) {
    return absl::StrCat("it has ", header.e_phnum, " program headers of ", header.e_phentsize, " bytes, not ",
                        sizeof(Elf64_Phdr), " and ", kMaxProgramHeaders, " of them at most");
  }
  if (!IsWithin(header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr), file_bytes)) {
    return absl::StrCat("its program headers are beyond the end of the file, of ", file_bytes, " bytes");
  }
  return "";
}

// Adds a segment, with what is zero at first and so not in the file. Returns why a kernel can have no such one.
std::string AddSegment(const GuestKernelFile& file, const Elf64_Phdr& segment, GuestKernel* kernel) {
  if (segment.p_type == PT_NULL) return "";
  if (!IsWithin(segment.p_offset, segment.p_filesz, file.bytes)) {
    return absl::StrCat("is beyond the end of the file, of ", file.bytes, " bytes");
  }
  if (segment.p_type == PT_NOTE && !kernel->has_pvh_entry) {
    kernel->has_pvh_entry = HasPvhNote(file.read(segment.p_offset, std::min(segment.p_filesz, kMaxNoteBytes)));
  }
  if (segment.p_type != PT_LOAD) return "";
  if (segment.p_memsz < segment.p_filesz || segment.p_memsz > kMaxKernelBytes - kernel->memory_bytes) {
    return absl::StrCat("has ", segment.p_filesz, " bytes in the file and ", segment.p_memsz,
                        " in memory, where a kernel has ", kMaxKernelBytes, " at most");
  }
  kernel->memory_bytes += segment.p_memsz;
  return "";
}

GuestKernel Damaged(GuestKernel kernel, const std::string& how) {
  kernel.memory_bytes = 0;
  kernel.problem = absl::StrCat("is damaged or no kernel: ", how);
  return kernel;
}

GuestKernel ReadVmlinux(const GuestKernelFile& file) {
  GuestKernel kernel;
  kernel.format = GuestKernelFormat::kVmlinux;
  Elf64_Ehdr header;
  if (!ReadAt(file, 0, &header)) return Damaged(kernel, "the file ends within its ELF header");
  // One for machines of 32 bits has other headers.
  if (header.e_ident[EI_CLASS] == ELFCLASS32) return kernel;
  kernel.is_x86_64 = header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_machine == EM_X86_64;
  if (const std::string problem = ProblemOfHeader(header, file.bytes); !problem.empty()) {
    return Damaged(kernel, problem);
  }
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    if (!ReadAt(file, header.e_phoff + i * sizeof(segment), &segment)) {
      return Damaged(kernel, "its program headers cannot be read");
    }
    const std::string problem = AddSegment(file, segment, &kernel);
    if (!problem.empty()) return Damaged(kernel, absl::StrCat("segment ", i, " ", problem));
  }
  return kernel.memory_bytes != 0 ? kernel : Damaged(kernel, "it has no segment to load");
}

GuestKernel ReadBzImage(const GuestKernelFile& file) {
  GuestKernel kernel;
  kernel.format = GuestKernelFormat::kBzImage;
  uint16_t version = 0;
  uint32_t init_size = 0;
  if (!ReadAt(file, kBootVersionOffset, &version) || version < kBootVersionWithInitSize) return kernel;
  if (ReadAt(file, kInitSizeOffset, &init_size)) kernel.memory_bytes = init_size;
  return kernel;
}

}  // namespace

GuestKernel ReadGuestKernel(const GuestKernelFile& file) {
  if (file.read(0, SELFMAG) == ELFMAG) return ReadVmlinux(file);
  if (file.read(kBootMagicOffset, sizeof(kBootMagic) - 1) == kBootMagic) return ReadBzImage(file);
  return {};
}

GuestKernel ReadGuestKernel(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info;
  if (!file.valid() || fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
  return ReadGuestKernel({static_cast<uint64_t>(info.st_size), [&file](uint64_t offset, size_t max_bytes) {
                            std::string bytes(max_bytes, '\0');
                            const ssize_t size =
                                pread(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
                            bytes.resize(size < 0 ? 0 : static_cast<size_t>(size));
                            return bytes;
                          }});
}

}  // namespace vcd

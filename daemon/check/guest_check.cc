// SPDX-License-Identifier: Apache-2.0
#include <elf.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "daemon/check/checks.h"

namespace vcd {
namespace {

constexpr char kKernelCheck[] = "kernel";
constexpr char kInitramfsCheck[] = "initramfs";

// boot protocol of x86 (Documentation/arch/x86/boot.rst): where a bzImage says what it is.
constexpr size_t kBootMagicOffset = 0x202;
constexpr char kBootMagic[] = "HdrS";
constexpr size_t kHeadBytes = 0x210;

constexpr size_t kMaxProgramHeaders = 64;
constexpr size_t kMaxNoteBytes = 64 << 10;
constexpr uint32_t kPvhNote = 18;  // XEN_ELFNOTE_PHYS32_ENTRY.

// "newc" of cpio(5): a magic and 13 numbers of eight hexadecimal digits.
constexpr size_t kCpioHeaderBytes = 110;
constexpr size_t kMaxNameBytes = 4096;
constexpr int kMaxEntries = 100000;

// The name of what packed the bytes; null when nothing known did.
const char* Compression(const std::string& head) {
  static const struct {
    const char* name;
    std::string magic;
  } kKinds[] = {{"gzip", "\x1f\x8b"},
                {"xz", std::string("\xfd"
                                   "7zXZ\0",
                                   6)},
                {"zstd", "\x28\xb5\x2f\xfd"},
                {"lz4", std::string("\x02\x21\x4c\x18")},
                {"lz4", std::string("\x04\x22\x4d\x18")},
                {"bzip2", "BZh"}};
  for (const auto& kind : kKinds) {
    if (absl::StartsWith(head, kind.magic)) return kind.name;
  }
  return nullptr;
}

// Whether notes hold the entry that QEMU jumps to without any boot loader.
bool HasPvhNote(const std::string& notes) {
  size_t at = 0;
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

absl::StatusOr<bool> HasPvhEntry(const Host& host, const std::string& path, const Elf64_Ehdr& header) {
  const size_t count = std::min<size_t>(header.e_phnum, kMaxProgramHeaders);
  for (size_t i = 0; i < count; ++i) {
    Elf64_Phdr segment;
    const absl::StatusOr<std::string> bytes = host.Read(path, header.e_phoff + i * header.e_phentsize, sizeof(segment));
    if (!bytes.ok()) return bytes.status();
    if (bytes->size() < sizeof(segment)) return false;
    std::memcpy(&segment, bytes->data(), sizeof(segment));
    if (segment.p_type != PT_NOTE) continue;
    const absl::StatusOr<std::string> notes =
        host.Read(path, segment.p_offset, std::min<size_t>(segment.p_filesz, kMaxNoteBytes));
    if (!notes.ok()) return notes.status();
    if (HasPvhNote(*notes)) return true;
  }
  return false;
}

void CheckElfKernel(const CheckSubject& subject, const std::string& path, const std::string& head, Findings& findings) {
  Elf64_Ehdr header;
  std::memcpy(&header, head.data(), sizeof(header));
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64) {
    return findings.Bad(Fault::kKernelKind, absl::StrCat(path, " is an ELF file for another machine"));
  }
  const absl::StatusOr<bool> pvh = HasPvhEntry(subject.host, path, header);
  if (!pvh.ok()) return findings.Bad(Fault::kKernelMissing, std::string(pvh.status().message()));
  if (!*pvh) return findings.Bad(Fault::kKernelWithoutPvh, path);
  findings.Good(kKernelCheck, absl::StrCat(path, ", a vmlinux with a PVH entry"));
}

struct CpioEntry {
  uint32_t mode = 0;
  uint64_t data_bytes = 0;
  std::string name;
  uint64_t next = 0;  // Where the entry after it begins.
};

// Reads the entry at `offset`; false where there is none.
bool ReadEntry(const Host& host, const std::string& path, uint64_t offset, CpioEntry* entry) {
  const absl::StatusOr<std::string> header = host.Read(path, offset, kCpioHeaderBytes);
  if (!header.ok() || header->size() < kCpioHeaderBytes) return false;
  if (!absl::StartsWith(*header, "070701") && !absl::StartsWith(*header, "070702")) return false;
  const auto number = [&header](int index, uint32_t* value) {
    return absl::SimpleHexAtoi(header->substr(6 + static_cast<size_t>(index) * 8, 8), value);
  };
  uint32_t data_bytes = 0;
  uint32_t name_bytes = 0;
  if (!number(1, &entry->mode) || !number(6, &data_bytes) || !number(11, &name_bytes)) return false;
  if (name_bytes == 0 || name_bytes > kMaxNameBytes) return false;
  const absl::StatusOr<std::string> name = host.Read(path, offset + kCpioHeaderBytes, name_bytes - 1);
  if (!name.ok()) return false;
  entry->name = *name;
  entry->data_bytes = data_bytes;
  const uint64_t data = (offset + kCpioHeaderBytes + name_bytes + 3) & ~uint64_t{3};
  entry->next = (data + data_bytes + 3) & ~uint64_t{3};
  return true;
}

bool IsAgent(const CpioEntry& entry) {
  const bool program = (entry.mode & S_IFMT) == S_IFREG && (entry.mode & 0111) != 0 && entry.data_bytes != 0;
  return program && (entry.name == "init" || entry.name == "./init" || entry.name == "/init");
}

bool HasAgent(const Host& host, const std::string& path) {
  CpioEntry entry;
  for (int i = 0; i < kMaxEntries && ReadEntry(host, path, entry.next, &entry); ++i) {
    if (IsAgent(entry)) return true;
    if (entry.name == "TRAILER!!!") return false;
  }
  return false;
}

}  // namespace

void CheckKernel(const CheckSubject& subject, Findings& findings) {
  const std::string& path = subject.config.qemu().kernel_path();
  const absl::StatusOr<std::string> head = subject.host.Read(path, 0, kHeadBytes);
  if (!head.ok()) return findings.Bad(Fault::kKernelMissing, std::string(head.status().message()));
  if (const char* kind = Compression(*head))
    return findings.Bad(Fault::kKernelCompressed, absl::StrCat(path, ", by ", kind));
  if (head->size() < kHeadBytes) return findings.Bad(Fault::kKernelKind, absl::StrCat(path, " is too short for one"));
  if (absl::StartsWith(*head, ELFMAG)) return CheckElfKernel(subject, path, *head, findings);
  if (head->compare(kBootMagicOffset, 4, kBootMagic) == 0) {
    return findings.Good(kKernelCheck, absl::StrCat(path, ", a bzImage"));
  }
  findings.Bad(Fault::kKernelKind, path);
}

void CheckInitramfs(const CheckSubject& subject, Findings& findings) {
  const std::string& path = subject.config.qemu().initrd_path();
  const absl::StatusOr<std::string> head = subject.host.Read(path, 0, kCpioHeaderBytes);
  if (!head.ok()) return findings.Bad(Fault::kInitrdMissing, std::string(head.status().message()));
  if (const char* kind = Compression(*head))
    return findings.Bad(Fault::kInitrdCompressed, absl::StrCat(path, ", by ", kind));
  CpioEntry first;
  if (!ReadEntry(subject.host, path, 0, &first)) return findings.Bad(Fault::kInitrdKind, path);
  if (!HasAgent(subject.host, path)) return findings.Bad(Fault::kInitrdWithoutAgent, path);
  findings.Good(kInitramfsCheck, absl::StrCat(path, ", with an agent"));
}

}  // namespace vcd

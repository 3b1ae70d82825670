// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "backends/hypervisor/qemu/guest_kernel.h"
#include "daemon/check/checks.h"

namespace vcd {
namespace {

constexpr char kKernelCheck[] = "kernel";
constexpr char kInitramfsCheck[] = "initramfs";

constexpr size_t kPackedMagicBytes = 6;

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
  const absl::StatusOr<std::string> head = subject.host.Read(path, 0, kPackedMagicBytes);
  if (!head.ok()) return findings.Bad(Fault::kKernelMissing, std::string(head.status().message()));
  if (const char* kind = Compression(*head))
    return findings.Bad(Fault::kKernelCompressed, absl::StrCat(path, ", by ", kind));
  const absl::StatusOr<struct stat> info = subject.host.Stat(path);
  if (!info.ok()) return findings.Bad(Fault::kKernelMissing, std::string(info.status().message()));
  const auto file_bytes = static_cast<uint64_t>(info->st_size);
  const GuestKernel kernel = ReadGuestKernel({file_bytes, [&](uint64_t offset, size_t max_bytes) {
                                                return subject.host.Read(path, offset, max_bytes).value_or("");
                                              }});
  if (kernel.format == GuestKernelFormat::kBzImage)
    return findings.Good(kKernelCheck, absl::StrCat(path, ", a bzImage"));
  if (kernel.format != GuestKernelFormat::kVmlinux) {
    return findings.Bad(Fault::kKernelKind, absl::StrCat(path, ", of ", file_bytes, " bytes"));
  }
  if (!kernel.problem.empty()) return findings.Bad(Fault::kKernelKind, absl::StrCat(path, " ", kernel.problem));
  if (!kernel.is_x86_64) {
    return findings.Bad(Fault::kKernelKind, absl::StrCat(path, " is an ELF file for another machine"));
  }
  if (!kernel.has_pvh_entry) return findings.Bad(Fault::kKernelWithoutPvh, path);
  findings.Good(kKernelCheck, absl::StrCat(path, ", a vmlinux with a PVH entry"));
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

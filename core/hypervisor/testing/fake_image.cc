// SPDX-License-Identifier: Apache-2.0
#include "core/hypervisor/testing/fake_image.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/hypervisor/machine_record.h"
#include "core/os/posix_filesystem.h"

namespace vcd {
namespace {

// Ends what an image says of disks, before the interfaces.
constexpr char kNics[] = "nics\n";

// All of an image but its interfaces.
template <typename Disks>
std::string MachineLines(const VmSpec& spec, bool shared_memory, const Disks& disks) {
  std::string lines = absl::StrCat(FakeImageKey(spec), "\n", shared_memory ? "shared" : "private", "\n");
  for (const state::v1::BlockDevice& disk : disks) absl::StrAppend(&lines, disk.id(), " ", disk.lun(), "\n");
  return lines;
}

// Cuts the interfaces off.
std::vector<state::v1::PciDevice> TakeNics(std::string* image) {
  std::vector<state::v1::PciDevice> nics;
  const size_t at = image->find(kNics);
  if (at == std::string::npos) return nics;
  for (const auto& line : absl::StrSplit(image->substr(at + sizeof(kNics) - 1), '\n', absl::SkipEmpty())) {
    NicSpec nic;
    const std::pair<std::string, std::string> words = absl::StrSplit(line, ' ');
    nic.id = words.first;
    nic.mac = words.second;
    nics.push_back(NicRecord(nic));
  }
  image->resize(at);
  return nics;
}

}  // namespace

std::string FakeImageKey(const VmSpec& spec) {
  return absl::BytesToHexString(
      absl::StrCat(spec.config.kernel_path(), " ", spec.config.default_vcpus(), " ", spec.config.default_memory_mib()));
}

std::string FakeImagePath(const std::string& directory) { return directory + "/fake-image"; }

std::string FakeImageText(const VmSpec& spec, const state::v1::VirtualMachine& record) {
  std::string text = MachineLines(spec, spec.shared_memory, record.block_devices()) + kNics;
  for (const state::v1::PciDevice& nic : record.pci_devices()) absl::StrAppend(&text, nic.id(), " ", nic.mac(), "\n");
  return text;
}

absl::StatusOr<FakeImage> ReadFakeImage(const VmSpec& spec) {
  const std::string path = FakeImagePath(spec.image_dir);
  PosixFilesystem filesystem;
  absl::StatusOr<std::string> text = filesystem.ReadFile(path);
  if (!text.ok() || !absl::StartsWith(*text, absl::StrCat(FakeImageKey(spec), "\n"))) {
    return absl::DataLossError(absl::StrCat(path, ": is no image of this machine"));
  }
  FakeImage image;
  image.nics = TakeNics(&*text);
  image.shared_memory = *text == MachineLines(spec, /*shared_memory=*/true, spec.image_disks);
  const bool is_private = *text == MachineLines(spec, /*shared_memory=*/false, spec.image_disks);
  if (!image.shared_memory && (spec.shared_memory || !is_private)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": is of a machine with other disks, or without shared memory"));
  }
  return image;
}

}  // namespace vcd

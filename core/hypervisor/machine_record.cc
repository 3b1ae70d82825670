// SPDX-License-Identifier: Apache-2.0
#include "core/hypervisor/machine_record.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"

namespace vcd {

absl::StatusOr<DiskAddress> NoteDisk(const DiskSpec& disk, state::v1::VirtualMachine* record) {
  std::set<uint32_t> taken;
  for (const state::v1::BlockDevice& device : record->block_devices()) {
    if (device.id() == disk.id) return absl::AlreadyExistsError(absl::StrCat("disk ", disk.id, " is attached already"));
    taken.insert(device.lun());
  }
  DiskAddress address;
  while (taken.count(address.scsi.lun) != 0) ++address.scsi.lun;
  state::v1::BlockDevice* added = record->add_block_devices();
  added->set_id(disk.id);
  added->set_path(disk.path);
  added->set_lun(address.scsi.lun);
  added->set_writable(disk.writable);
  return address;
}

void ForgetDisk(const std::string& id, state::v1::VirtualMachine* record) {
  auto* devices = record->mutable_block_devices();
  for (int i = devices->size() - 1; i >= 0; --i) {
    if (devices->Get(i).id() == id) devices->DeleteSubrange(i, 1);
  }
}

absl::StatusOr<VmSize> NoteSize(const VmSize& size, const v1::HypervisorConfig& config,
                                state::v1::VirtualMachine* record) {
  if (config.max_vcpus() != 0 && size.vcpus > config.max_vcpus()) {
    return InvalidField("resources.vcpus", absl::StrCat(size.vcpus, "; the machine was made for ", config.max_vcpus()));
  }
  if (config.max_memory_mib() != 0 && size.memory_mib > config.max_memory_mib()) {
    return InvalidField("resources.memory_mib",
                        absl::StrCat(size.memory_mib, " MiB; the machine was made for ", config.max_memory_mib()));
  }
  if (size.vcpus > record->vcpus()) record->set_vcpus(size.vcpus);
  if (size.memory_mib != 0) record->set_memory_mib(size.memory_mib);
  return VmSize{record->vcpus(), record->memory_mib()};
}

absl::StatusOr<SharedPath> NoteDirectory(const ShareSpec& share, state::v1::VirtualMachine* record) {
  for (const state::v1::SharedDirectory& shared : record->shared_directories()) {
    if (shared.tag() == share.tag) {
      return absl::AlreadyExistsError(absl::StrCat("directory ", share.tag, " is shared already"));
    }
  }
  state::v1::SharedDirectory* added = record->add_shared_directories();
  added->set_tag(share.tag);
  added->set_host_path(share.host_path);
  added->set_readonly(share.readonly);
  return SharedPath{share.tag, ""};
}

void ForgetDirectory(const std::string& tag, state::v1::VirtualMachine* record) {
  auto* directories = record->mutable_shared_directories();
  for (int i = directories->size() - 1; i >= 0; --i) {
    if (directories->Get(i).tag() == tag) directories->DeleteSubrange(i, 1);
  }
}

absl::Status NotePciDevice(const state::v1::PciDevice& device, state::v1::VirtualMachine* record) {
  for (const state::v1::PciDevice& known : record->pci_devices()) {
    if (known.id() == device.id()) {
      return absl::AlreadyExistsError(absl::StrCat("device ", device.id(), " is attached already"));
    }
  }
  *record->add_pci_devices() = device;
  return absl::OkStatus();
}

state::v1::PciDevice NicRecord(const NicSpec& nic) {
  state::v1::PciDevice device;
  device.set_id(nic.id);
  device.set_kind("nic");
  device.set_mac(nic.mac);
  return device;
}

void ForgetPciDevice(const std::string& id, state::v1::VirtualMachine* record) {
  auto* devices = record->mutable_pci_devices();
  for (int i = devices->size() - 1; i >= 0; --i) {
    if (devices->Get(i).id() == id) devices->DeleteSubrange(i, 1);
  }
}

}  // namespace vcd

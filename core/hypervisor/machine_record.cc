// SPDX-License-Identifier: Apache-2.0
#include "core/hypervisor/machine_record.h"

#include <set>

#include "absl/strings/str_cat.h"

namespace vcd {

absl::StatusOr<ScsiAddress> NoteDisk(const DiskSpec& disk, state::v1::VirtualMachine* record) {
  std::set<uint32_t> taken;
  for (const state::v1::BlockDevice& device : record->block_devices()) {
    if (device.id() == disk.id) return absl::AlreadyExistsError(absl::StrCat("disk ", disk.id, " is attached already"));
    taken.insert(device.lun());
  }
  ScsiAddress address;
  while (taken.count(address.lun) != 0) ++address.lun;
  state::v1::BlockDevice* added = record->add_block_devices();
  added->set_id(disk.id);
  added->set_path(disk.path);
  added->set_lun(address.lun);
  return address;
}

void ForgetDisk(const std::string& id, state::v1::VirtualMachine* record) {
  auto* devices = record->mutable_block_devices();
  for (int i = devices->size() - 1; i >= 0; --i) {
    if (devices->Get(i).id() == id) devices->DeleteSubrange(i, 1);
  }
}

absl::Status NoteDirectory(const std::string& tag, const std::string& host_path, state::v1::VirtualMachine* record) {
  for (const state::v1::SharedDirectory& shared : record->shared_directories()) {
    if (shared.tag() == tag) return absl::AlreadyExistsError(absl::StrCat("directory ", tag, " is shared already"));
  }
  state::v1::SharedDirectory* added = record->add_shared_directories();
  added->set_tag(tag);
  added->set_host_path(host_path);
  return absl::OkStatus();
}

void ForgetDirectory(const std::string& tag, state::v1::VirtualMachine* record) {
  auto* directories = record->mutable_shared_directories();
  for (int i = directories->size() - 1; i >= 0; --i) {
    if (directories->Get(i).tag() == tag) directories->DeleteSubrange(i, 1);
  }
}

}  // namespace vcd

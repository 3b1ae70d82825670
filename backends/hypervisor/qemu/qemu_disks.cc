// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_disks.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "backends/hypervisor/qemu/qemu_command_line.h"
#include "backends/hypervisor/qemu/qmp_devices.h"
#include "core/os/unique_fd.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

using nlohmann::json;

// LUNs above need another kind of address.
constexpr uint32_t kMaxLuns = 256;
// A virtio-blk disk has room for so much (VIRTIO_BLK_ID_BYTES).
constexpr size_t kMaxSerialBytes = 20;
constexpr char kPrefix[] = "disk-";

std::string Name(uint32_t place) { return absl::StrCat(kPrefix, place); }
uint32_t DescriptorSet(uint32_t place) { return 100 + place; }

struct OpenedImage {
  UniqueFd fd;
  bool is_device = false;
};

absl::StatusOr<OpenedImage> OpenImage(const DiskSpec& disk) {
  // O_NONBLOCK: a FIFO of that name must not hold us up.
  OpenedImage image{UniqueFd(open(disk.path.c_str(), (disk.writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK))};
  if (!image.fd.valid()) return PosixError(errno, absl::StrCat("disk ", disk.id, ": open ", disk.path));
  struct stat info;
  if (fstat(image.fd.get(), &info) != 0) return PosixError(errno, absl::StrCat("disk ", disk.id, ": stat ", disk.path));
  image.is_device = S_ISBLK(info.st_mode);
  if (!image.is_device && !S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("disk ", disk.id, ": ", disk.path,
                                                   S_ISDIR(info.st_mode) ? " is a directory" : " is no image",
                                                   "; a disk is an image file or a block device"));
  }
  if (!image.is_device && info.st_size == 0) {
    return absl::InvalidArgumentError(absl::StrCat("disk ", disk.id, ": ", disk.path, " is empty"));
  }
  return image;
}

// The image as QEMU's block layer has it.
json BlockNode(uint32_t place, bool is_device, bool writable) {
  json file = {{"driver", is_device ? "host_device" : "file"},
               {"filename", absl::StrCat("/dev/fdset/", DescriptorSet(place))},
               {"read-only", !writable}};
  json node = {{"driver", "raw"}, {"node-name", Name(place)}, {"read-only", !writable}};
  if (writable) {
    // Nobody else may have it open, to read or to write, and what the guest throws away is given back to the host.
    file["locking"] = "on";
    file["discard"] = "unmap";
    node["discard"] = "unmap";
  }
  node["file"] = std::move(file);
  return node;
}

}  // namespace

absl::StatusOr<uint32_t> QemuDisks::TakeRecorded(const state::v1::BlockDevice& device) {
  const uint32_t place = on_pci_ ? device.slot() : device.lun();
  if (on_pci_) VCD_RETURN_IF_ERROR(slots_.TakeRecorded(absl::StrCat("disk ", device.id()), place));
  MutexLock lock(&mu_);
  disks_[place] = Disk{device.id(), device.path(), device.writable(), /*busy=*/false, /*attached=*/true};
  return place;
}

absl::Status QemuDisks::Restore(const std::vector<state::v1::BlockDevice>& disks, const CallContext& context) {
  for (const state::v1::BlockDevice& device : disks) {
    VCD_ASSIGN_OR_RETURN(const uint32_t place, TakeRecorded(device));
    VCD_RETURN_IF_ERROR(Plug(place, {device.id(), device.path(), device.writable()}, context));
  }
  return absl::OkStatus();
}

absl::Status QemuDisks::Adopt(const state::v1::VirtualMachine& record, const CallContext& context) {
  std::set<uint32_t> known;
  for (const state::v1::BlockDevice& device : record.block_devices()) {
    VCD_ASSIGN_OR_RETURN(const uint32_t place, TakeRecorded(device));
    known.insert(place);
  }
  std::set<std::string> present;
  VCD_RETURN_IF_ERROR(ListDevices(qmp_, kPrefix, &present, context));
  VCD_RETURN_IF_ERROR(ListBlockNodes(qmp_, kPrefix, &present, context));
  for (const std::string& name : present) {
    uint32_t place = 0;
    if (!absl::SimpleAtoi(absl::StripPrefix(name, kPrefix), &place) || known.count(place) != 0) continue;
    VCD_RETURN_IF_ERROR(Unplug(place, context));
  }
  return absl::OkStatus();
}

absl::StatusOr<uint32_t> QemuDisks::Reserve(const DiskSpec& disk) {
  MutexLock lock(&mu_);
  for (const auto& [place, other] : disks_) {
    if (other.id == disk.id) return absl::AlreadyExistsError(absl::StrCat("disk ", disk.id, " is attached already"));
  }
  uint32_t free = 0;
  if (on_pci_) {
    VCD_ASSIGN_OR_RETURN(free, slots_.Take(absl::StrCat("disk ", disk.id)));
  } else {
    while (disks_.count(free) != 0) ++free;
    if (free >= kMaxLuns) {
      return absl::ResourceExhaustedError(absl::StrCat("disk ", disk.id, ": the machine has ", kMaxLuns, " disks"));
    }
  }
  disks_[free] = Disk{disk.id, disk.path, disk.writable, /*busy=*/true, /*attached=*/false};
  return free;
}

void QemuDisks::Release(uint32_t place) {
  MutexLock lock(&mu_);
  disks_.erase(place);
  if (on_pci_) slots_.Release(place);
}

DiskAddress QemuDisks::AddressOf(uint32_t place, const std::string& id) const {
  return on_pci_ ? DiskAddress{{}, id} : DiskAddress{{0, place}, ""};
}

absl::StatusOr<DiskAddress> QemuDisks::Attach(const DiskSpec& disk, const CallContext& context) {
  VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("attach disk ", disk.id)));
  if (on_pci_ && disk.id.size() > kMaxSerialBytes) {
    return absl::InvalidArgumentError(absl::StrCat("disk ", disk.id, ": the id, by which the guest finds a ",
                                                   kVirtioBlk, " disk, may have ", kMaxSerialBytes, " bytes"));
  }
  VCD_ASSIGN_OR_RETURN(const uint32_t place, Reserve(disk));
  const absl::Status plugged = Plug(place, disk, context);
  if (plugged.ok()) {
    MutexLock lock(&mu_);
    disks_[place].busy = false;
    disks_[place].attached = true;
    return AddressOf(place, disk.id);
  }
  // When even the undo fails, the place stays taken, nameless: what QEMU holds under it is not to be met again. The
  // next Adopt tries anew.
  if (Unplug(place, CleanupContext()).ok()) {
    Release(place);
  } else {
    MutexLock lock(&mu_);
    disks_[place].id.clear();
  }
  return plugged;
}

absl::Status QemuDisks::Plug(uint32_t place, const DiskSpec& disk, const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(const OpenedImage image, OpenImage(disk));
  const std::string what = absl::StrCat("disk ", disk.id);
  const json set = {{"fdset-id", DescriptorSet(place)}, {"opaque", Name(place)}};
  VCD_RETURN_IF_ERROR(Annotate(qmp_.ExecuteWithFd("add-fd", set, image.fd.get(), Step(context)).status(), what));
  const json node = BlockNode(place, image.is_device, disk.writable);
  VCD_RETURN_IF_ERROR(Annotate(qmp_.Execute("blockdev-add", node, Step(context)).status(), what));
  json device = {{"id", Name(place)}, {"drive", Name(place)}};
  if (on_pci_) {
    device.update({{"driver", "virtio-blk-pci"}, {"serial", disk.id}});
    device.update(slots_.Address(place));
  } else {
    device.update({{"driver", "scsi-hd"}, {"bus", kScsiBus}, {"channel", 0}, {"scsi-id", 0}, {"lun", place}});
  }
  // The guest is told of a host without room as of any other error: by itself QEMU would stop the machine.
  if (disk.writable) device.update({{"werror", "report"}, {"rerror", "report"}});
  return Annotate(qmp_.Execute("device_add", device, Step(context)).status(), what);
}

absl::Status QemuDisks::Unplug(uint32_t place, const CallContext& context) {
  VCD_RETURN_IF_ERROR(RemoveDevice(qmp_, Name(place), context));
  const json set = {{"fdset-id", DescriptorSet(place)}};
  VCD_RETURN_IF_ERROR(RemoveBackend(qmp_, "blockdev-del", {{"node-name", Name(place)}}, Name(place), context));
  return IgnoreMissing(qmp_.Execute("remove-fd", set, Step(context)).status());
}

absl::Status QemuDisks::Detach(const std::string& id, const CallContext& context) {
  VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("detach disk ", id)));
  std::optional<uint32_t> place;
  {
    MutexLock lock(&mu_);
    for (auto& [candidate, disk] : disks_) {
      if (disk.id != id) continue;
      if (disk.busy) return absl::AbortedError(absl::StrCat("disk ", id, " is being attached or detached"));
      disk.busy = true;
      place = candidate;
    }
  }
  if (!place.has_value()) return absl::OkStatus();
  const absl::Status unplugged = Annotate(Unplug(*place, context), absl::StrCat("detach disk ", id));
  if (unplugged.ok()) {
    Release(*place);
  } else {
    MutexLock lock(&mu_);
    disks_[*place].busy = false;
  }
  return unplugged;
}

std::string QemuDisks::Describe(const std::string& node) const {
  MutexLock lock(&mu_);
  for (const auto& [place, disk] : disks_) {
    if (node == Name(place)) return absl::StrCat("disk ", disk.id, " (", disk.path, ")");
  }
  return absl::StrCat("disk ", node);
}

void QemuDisks::WriteTo(state::v1::VirtualMachine* record) const {
  MutexLock lock(&mu_);
  for (const auto& [place, disk] : disks_) {
    if (!disk.attached) continue;
    state::v1::BlockDevice* device = record->add_block_devices();
    device->set_id(disk.id);
    device->set_path(disk.path);
    device->set_writable(disk.writable);
    if (on_pci_) {
      device->set_driver(kVirtioBlk);
      device->set_slot(place);
    } else {
      device->set_lun(place);
    }
  }
}

}  // namespace vcd

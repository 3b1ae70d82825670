// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_disks.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <nlohmann/json.hpp>
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
constexpr char kPrefix[] = "disk-";

std::string Name(uint32_t lun) { return absl::StrCat(kPrefix, lun); }
uint32_t DescriptorSet(uint32_t lun) { return 100 + lun; }

struct OpenedImage {
  UniqueFd fd;
  bool is_device = false;
};

absl::StatusOr<OpenedImage> OpenImage(const DiskSpec& disk) {
  // O_NONBLOCK: a FIFO of that name must not hold us up.
  OpenedImage image{UniqueFd(open(disk.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK))};
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

}  // namespace

absl::Status QemuDisks::Adopt(const state::v1::VirtualMachine& record, const CallContext& context) {
  std::set<uint32_t> known;
  {
    MutexLock lock(&mu_);
    for (const state::v1::BlockDevice& device : record.block_devices()) {
      disks_[device.lun()] = Disk{device.id(), device.path(), false, true};
      known.insert(device.lun());
    }
  }
  std::set<std::string> present;
  VCD_RETURN_IF_ERROR(ListDevices(qmp_, kPrefix, &present, context));
  VCD_RETURN_IF_ERROR(ListBlockNodes(qmp_, kPrefix, &present, context));
  for (const std::string& name : present) {
    uint32_t lun = 0;
    if (!absl::SimpleAtoi(absl::StripPrefix(name, kPrefix), &lun) || known.count(lun) != 0) continue;
    VCD_RETURN_IF_ERROR(Unplug(lun, context));
  }
  return absl::OkStatus();
}

absl::StatusOr<uint32_t> QemuDisks::Reserve(const DiskSpec& disk) {
  MutexLock lock(&mu_);
  for (const auto& [lun, other] : disks_) {
    if (other.id == disk.id) return absl::AlreadyExistsError(absl::StrCat("disk ", disk.id, " is attached already"));
  }
  uint32_t free = 0;
  while (disks_.count(free) != 0) ++free;
  if (free >= kMaxLuns) {
    return absl::ResourceExhaustedError(absl::StrCat("disk ", disk.id, ": the machine has ", kMaxLuns, " disks"));
  }
  disks_[free] = Disk{disk.id, disk.path, true, false};
  return free;
}

void QemuDisks::Release(uint32_t lun) {
  MutexLock lock(&mu_);
  disks_.erase(lun);
}

absl::StatusOr<DiskAddress> QemuDisks::Attach(const DiskSpec& disk, const CallContext& context) {
  VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("attach disk ", disk.id)));
  VCD_ASSIGN_OR_RETURN(const uint32_t lun, Reserve(disk));
  const absl::Status plugged = Plug(lun, disk, context);
  if (plugged.ok()) {
    MutexLock lock(&mu_);
    disks_[lun].busy = false;
    disks_[lun].attached = true;
    return DiskAddress{{0, lun}, ""};
  }
  // When even the undo fails, the LUN stays taken, nameless: what QEMU holds under it is not to be met again. The next
  // Adopt tries anew.
  if (Unplug(lun, CleanupContext()).ok()) {
    Release(lun);
  } else {
    MutexLock lock(&mu_);
    disks_[lun].id.clear();
  }
  return plugged;
}

absl::Status QemuDisks::Plug(uint32_t lun, const DiskSpec& disk, const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(const OpenedImage image, OpenImage(disk));
  const std::string what = absl::StrCat("disk ", disk.id);
  VCD_RETURN_IF_ERROR(Annotate(qmp_.ExecuteWithFd("add-fd", {{"fdset-id", DescriptorSet(lun)}, {"opaque", Name(lun)}},
                                                  image.fd.get(), Step(context))
                                   .status(),
                               what));
  const json node = {{"driver", "raw"},
                     {"node-name", Name(lun)},
                     {"read-only", true},
                     {"file",
                      {{"driver", image.is_device ? "host_device" : "file"},
                       {"filename", absl::StrCat("/dev/fdset/", DescriptorSet(lun))},
                       {"read-only", true}}}};
  VCD_RETURN_IF_ERROR(Annotate(qmp_.Execute("blockdev-add", node, Step(context)).status(), what));
  const json device = {{"driver", "scsi-hd"}, {"id", Name(lun)}, {"drive", Name(lun)}, {"bus", kScsiBus},
                       {"channel", 0},        {"scsi-id", 0},    {"lun", lun}};
  return Annotate(qmp_.Execute("device_add", device, Step(context)).status(), what);
}

absl::Status QemuDisks::Unplug(uint32_t lun, const CallContext& context) {
  VCD_RETURN_IF_ERROR(RemoveDevice(qmp_, Name(lun), context));
  const json set = {{"fdset-id", DescriptorSet(lun)}};
  VCD_RETURN_IF_ERROR(RemoveBackend(qmp_, "blockdev-del", {{"node-name", Name(lun)}}, Name(lun), context));
  return IgnoreMissing(qmp_.Execute("remove-fd", set, Step(context)).status());
}

absl::Status QemuDisks::Detach(const std::string& id, const CallContext& context) {
  VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("detach disk ", id)));
  uint32_t lun = kMaxLuns;
  {
    MutexLock lock(&mu_);
    for (auto& [candidate, disk] : disks_) {
      if (disk.id != id) continue;
      if (disk.busy) return absl::AbortedError(absl::StrCat("disk ", id, " is being attached or detached"));
      disk.busy = true;
      lun = candidate;
    }
  }
  if (lun == kMaxLuns) return absl::OkStatus();
  const absl::Status unplugged = Annotate(Unplug(lun, context), absl::StrCat("detach disk ", id));
  MutexLock lock(&mu_);
  if (unplugged.ok()) {
    disks_.erase(lun);
  } else {
    disks_[lun].busy = false;
  }
  return unplugged;
}

void QemuDisks::WriteTo(state::v1::VirtualMachine* record) const {
  MutexLock lock(&mu_);
  for (const auto& [lun, disk] : disks_) {
    if (!disk.attached) continue;
    state::v1::BlockDevice* device = record->add_block_devices();
    device->set_id(disk.id);
    device->set_path(disk.path);
    device->set_lun(lun);
  }
}

}  // namespace vcd

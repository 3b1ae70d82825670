// SPDX-License-Identifier: Apache-2.0
#include "core/pod/container_attachments.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#undef major
#undef minor

#include <cerrno>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/device/host_device.h"
#include "core/log/logger.h"
#include "core/model/mounts.h"
#include "core/model/rootfs_image.h"
#include "core/pod/pod_network.h"
#include "core/pod/pod_record.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr char kNic[] = "nic";  // state::v1::PciDevice.kind

using Ids = std::set<std::string>;

void AddIds(const state::v1::ContainerRecord& container, Ids* ids) {
  if (!container.disk_id().empty()) ids->insert(container.disk_id());
  if (!container.share_tag().empty()) ids->insert(container.share_tag());
  ids->insert(container.disk_ids().begin(), container.disk_ids().end());
  ids->insert(container.share_tags().begin(), container.share_tags().end());
  ids->insert(container.pci_device_ids().begin(), container.pci_device_ids().end());
}

// What the record says that the machine has.
Ids IdsOnRecord(const state::v1::PodRecord& record) {
  Ids ids;
  for (const state::v1::ContainerRecord& container : record.containers()) AddIds(container, &ids);
  for (const state::v1::SharedVolume& volume : record.volumes()) ids.insert(volume.share_tag());
  for (const v1::PodInterface& interface : record.network().interfaces()) {
    if (IsJoined(interface)) ids.insert(NicId(interface.mac()));
  }
  return ids;
}

Ids IdsInMachine(const state::v1::VirtualMachine& machine) {
  Ids ids;
  for (const state::v1::BlockDevice& device : machine.block_devices()) ids.insert(device.id());
  for (const state::v1::SharedDirectory& directory : machine.shared_directories()) ids.insert(directory.tag());
  for (const state::v1::PciDevice& device : machine.pci_devices()) ids.insert(device.id());
  return ids;
}

// "rootfs-0": the kind, for people, and the lowest number that nothing has. What could not be unplugged keeps its
// number for as long as the machine has it.
std::string FreeId(absl::string_view kind, const Ids& taken) {
  std::set<uint32_t> numbers;
  for (const std::string& id : taken) {
    uint32_t number = 0;
    if (absl::SimpleAtoi(id.substr(id.rfind('-') + 1), &number)) numbers.insert(number);
  }
  uint32_t free = 0;
  while (numbers.count(free) != 0) ++free;
  return absl::StrCat(kind, "-", free);
}

absl::Status DetachDisk(Pod& pod, const std::string& id, const CallContext& context) {
  VCD_RETURN_IF_ERROR(pod.machine()->DetachDisk(id, context));
  pod.ReleaseDisk(id);
  return absl::OkStatus();
}

// The device-mapper device that is mounted at the directory, where the guest may have it instead: then the guest's own
// kernel reads it, without a helper process. Only what the host cannot write to; two kernels that each believe a file
// system to be theirs would destroy it.
absl::StatusOr<std::optional<MappedRoot>> MappedRootOf(const Pod& pod, const std::string& path) {
  if (pod.config()->hypervisor_config().disable_block_device_use()) return std::optional<MappedRoot>();
  std::error_code error;
  const std::string directory = std::filesystem::canonical(path, error);
  struct stat status;
  if (error || ::stat(directory.c_str(), &status) != 0) return PosixError(error ? error.value() : errno, path);
  VCD_ASSIGN_OR_RETURN(std::optional<MappedRoot> mapped, FindMappedRoot(pod.host(), directory, status.st_dev));
  if (!mapped.has_value() || mapped->readonly) return mapped;
  LogInfo(pod.id(), absl::StrCat(path, ": is ", mapped->device_path,
                                 ", which the host can write to: shared as a directory; unmount it and use "
                                 "rootfs.block to give the guest the device itself"));
  return std::optional<MappedRoot>();
}

// One container's way to its machine.
class Attacher {
 public:
  Attacher(Pod& pod, const state::v1::PodRecord& record, state::v1::ContainerRecord& container,
           GuestContainerSpec& spec, const CallContext& context)
      : pod_(pod), record_(record), container_(container), spec_(spec), context_(context) {}

  absl::Status AttachRootfs() {
    const v1::Rootfs& rootfs = spec_.config.rootfs();
    switch (rootfs.source_case()) {
      case v1::Rootfs::kImage:
        return AttachRootDisk(rootfs.image().path(), {{}, rootfs.image().fs_type()}, /*writable=*/false);
      case v1::Rootfs::kBlock: {
        const v1::BlockRootfs& block = rootfs.block();
        DiskRootfs root{{}, block.fs_type(), /*overlay=*/false, {block.options().begin(), block.options().end()}};
        return AttachRootDisk(block.path(), std::move(root), /*writable=*/!rootfs.readonly());
      }
      case v1::Rootfs::kDirectory:
        return AttachRootDirectory(rootfs.directory().path());
      case v1::Rootfs::SOURCE_NOT_SET:
        break;
    }
    return absl::OkStatus();
  }

  absl::Status AttachMounts() {
    for (const v1::Mount& mount : spec_.config.mounts()) {
      absl::StatusOr<GuestPlace> place = AttachMount(mount);
      if (!place.ok()) return Annotate(place.status(), absl::StrCat("mount on ", mount.destination()));
      spec_.mounts.push_back(*std::move(place));
    }
    return absl::OkStatus();
  }

  absl::Status AttachDevices() {
    for (v1::Device& device : *spec_.config.mutable_devices()) {
      absl::StatusOr<GuestPlace> place = AttachDevice(device);
      if (!place.ok()) return Annotate(place.status(), absl::StrCat("device ", device.container_path()));
      spec_.devices.push_back(*std::move(place));
    }
    return absl::OkStatus();
  }

 private:
  std::string NewId(absl::string_view kind) const {
    Ids taken = IdsOnRecord(record_);
    taken.merge(IdsInMachine(pod_.machine()->Record()));
    AddIds(container_, &taken);
    return FreeId(kind, taken);
  }

  absl::StatusOr<DiskAddress> PlugDisk(const std::string& id, const std::string& path, bool writable) {
    std::optional<DiskClaims::Claim> claim;
    // A simulated guest reads nothing, so it may be given what is not there.
    if (pod_.agent().capabilities().ReadsRootfs()) {
      VCD_ASSIGN_OR_RETURN(const HostDisk disk, FindHostDisk(path));
      if (writable || disk.is_device) VCD_RETURN_IF_ERROR(CheckDiskIsFree(pod_.host(), disk, writable));
      VCD_ASSIGN_OR_RETURN(claim, pod_.ClaimDisk(disk, writable, absl::StrCat("container ", container_.id())));
    }
    VCD_ASSIGN_OR_RETURN(DiskAddress address, pod_.machine()->AttachDisk({id, path, writable}, context_));
    if (claim.has_value()) pod_.HoldDisk(id, *std::move(claim));
    return address;
  }

  absl::Status AttachRootDisk(const std::string& path, DiskRootfs root, bool writable) {
    const std::string id = NewId("rootfs");
    VCD_ASSIGN_OR_RETURN(root.address, PlugDisk(id, path, writable));
    container_.set_disk_id(id);
    spec_.rootfs = std::move(root);
    return absl::OkStatus();
  }

  absl::Status AttachRootDirectory(const std::string& path) {
    if (pod_.agent().capabilities().ReadsRootfs()) {
      VCD_ASSIGN_OR_RETURN(const std::optional<MappedRoot> mapped, MappedRootOf(pod_, path));
      if (mapped.has_value()) {
        VCD_ASSIGN_OR_RETURN(std::string fs_type, DetectRootfsImage(mapped->device_path));
        return AttachRootDisk(mapped->device_path, {{}, std::move(fs_type)}, /*writable=*/false);
      }
    }
    const std::string tag = NewId("rootfs");
    // The guest's overlay takes what is written to a read-only root file system: the mount points.
    const ShareSpec share{tag, path, spec_.config.rootfs().readonly()};
    VCD_ASSIGN_OR_RETURN(SharedPath shared, pod_.machine()->ShareDirectory(share, context_));
    container_.set_share_tag(tag);
    spec_.rootfs = SharedRootfs{std::move(shared)};
    return absl::OkStatus();
  }

  absl::StatusOr<GuestPlace> AttachMount(const v1::Mount& mount) {
    switch (KindOf(mount).value_or(MountKind::kGuest)) {
      case MountKind::kBind: {
        const std::string tag = NewId("mount");
        const ShareSpec share{tag, mount.source(), IsReadOnly(mount), IsRecursive(mount)};
        VCD_ASSIGN_OR_RETURN(SharedPath path, pod_.machine()->ShareDirectory(share, context_));
        container_.add_share_tags(tag);
        return GuestPlace(std::move(path));
      }
      case MountKind::kVolume:
        for (const state::v1::SharedVolume& volume : record_.volumes()) {
          if (volume.mount_tag() == mount.source())
            return GuestPlace(SharedPath{volume.guest_tag(), volume.guest_name()});
        }
        return absl::FailedPreconditionError(
            absl::StrCat("the machine does not have volume ", mount.source(), "; stop the pod and start it again"));
      case MountKind::kDisk: {
        const std::string id = NewId("mount");
        VCD_ASSIGN_OR_RETURN(DiskAddress address, PlugDisk(id, mount.source(), !IsReadOnly(mount)));
        container_.add_disk_ids(id);
        return GuestPlace(std::move(address));
      }
      case MountKind::kGuest:
      case MountKind::kGuestsOwn:
        break;
    }
    return GuestPlace();
  }

  absl::StatusOr<GuestPlace> AttachDevice(v1::Device& device) {
    if (device.host_path().empty()) return GuestPlace();
    HostDeviceKind kind = HostDeviceKind::kDisk;
    if (pod_.agent().capabilities().ReadsRootfs()) {
      VCD_ASSIGN_OR_RETURN(kind, ClassifyHostDevice(device.host_path()));
    }
    if (kind == HostDeviceKind::kDisk) {
      const std::string id = NewId("device");
      VCD_ASSIGN_OR_RETURN(DiskAddress address, PlugDisk(id, device.host_path(), !device.readonly()));
      container_.add_disk_ids(id);
      return GuestPlace(std::move(address));
    }
    if (kind == HostDeviceKind::kGuestsOwn) {
      VCD_ASSIGN_OR_RETURN(const dev_t number, FindGuestsDevice(device.host_path()));
      device.set_type("c");
      device.set_major(gnu_dev_major(number));
      device.set_minor(gnu_dev_minor(number));
      return GuestPlace();
    }
    VCD_ASSIGN_OR_RETURN(const std::vector<std::string> addresses, FindVfioDevices(pod_.host(), device.host_path()));
    for (const std::string& address : addresses) {
      const std::string id = NewId("device");
      VCD_RETURN_IF_ERROR(pod_.machine()->AttachHostDevice(id, address, context_));
      container_.add_pci_device_ids(id);
    }
    return GuestPlace();
  }

  Pod& pod_;
  const state::v1::PodRecord& record_;
  state::v1::ContainerRecord& container_;
  GuestContainerSpec& spec_;
  const CallContext& context_;
};

}  // namespace

absl::Status Attach(Pod& pod, const state::v1::PodRecord& record, state::v1::ContainerRecord& container,
                    GuestContainerSpec& spec, const CallContext& context) {
  Attacher attacher(pod, record, container, spec, context);
  VCD_RETURN_IF_ERROR(Annotate(attacher.AttachRootfs(), "attach its rootfs"));
  VCD_RETURN_IF_ERROR(attacher.AttachMounts());
  return attacher.AttachDevices();
}

absl::Status Detach(Pod& pod, const state::v1::ContainerRecord& container, const CallContext& context) {
  if (pod.machine() == nullptr) return absl::OkStatus();
  VirtualMachine& machine = *pod.machine();
  absl::Status status;
  for (const std::string& id : container.pci_device_ids()) status.Update(machine.DetachHostDevice(id, context));
  for (const std::string& id : container.disk_ids()) status.Update(DetachDisk(pod, id, context));
  for (const std::string& tag : container.share_tags()) status.Update(machine.UnshareDirectory(tag, context));
  if (!container.disk_id().empty()) status.Update(DetachDisk(pod, container.disk_id(), context));
  if (!container.share_tag().empty()) status.Update(machine.UnshareDirectory(container.share_tag(), context));
  return status;
}

bool HoldsAttachments(const state::v1::ContainerRecord& container) {
  Ids ids;
  AddIds(container, &ids);
  return !ids.empty();
}

void ForgetAttachments(state::v1::ContainerRecord& container) {
  container.clear_disk_id();
  container.clear_share_tag();
  container.clear_disk_ids();
  container.clear_share_tags();
  container.clear_pci_device_ids();
}

absl::Status ShareVolumes(Pod& pod, state::v1::PodRecord& record, const CallContext& context) {
  record.clear_volumes();
  const std::shared_ptr<const v1::PodConfig> config = pod.config();
  for (const v1::Volume& volume : config->volumes()) {
    const std::string tag = FreeId("volume", IdsOnRecord(record));
    absl::StatusOr<SharedPath> shared =
        pod.machine()->ShareDirectory({tag, volume.host_path(), volume.readonly(), /*recursive=*/true}, context);
    if (!shared.ok()) return Annotate(shared.status(), absl::StrCat("share volume ", volume.mount_tag()));
    state::v1::SharedVolume& noted = *record.add_volumes();
    noted.set_mount_tag(volume.mount_tag());
    noted.set_share_tag(tag);
    noted.set_guest_tag(shared->tag);
    noted.set_guest_name(shared->name);
  }
  return absl::OkStatus();
}

void ClaimDisks(Pod& pod) {
  if (!pod.agent().capabilities().ReadsRootfs()) return;
  const state::v1::PodRecord record = pod.record();
  for (const state::v1::BlockDevice& device : record.vm().block_devices()) {
    absl::StatusOr<HostDisk> disk = FindHostDisk(device.path());
    // One whose name is gone is nobody's to ask for.
    if (!disk.ok()) continue;
    auto claim = pod.ClaimDisk(*disk, device.writable(), absl::StrCat("disk ", device.id()));
    if (claim.ok()) {
      pod.HoldDisk(device.id(), *std::move(claim));
    } else {
      LogError(pod.id(), std::string(claim.status().message()));
    }
  }
}

void ReleaseLeftovers(Pod& pod, const CallContext& context) {
  const Ids known = IdsOnRecord(pod.record());
  const state::v1::VirtualMachine machine = pod.machine()->Record();
  bool changed = false;
  const auto release = [&](const std::string& id, const std::string& what, auto detach) {
    if (known.count(id) != 0) return;
    const absl::Status detached = detach(id);
    LogInfo(pod.id(),
            absl::StrCat(what, " ", id, " was left over: ", detached.ok() ? "taken away" : detached.message()));
    changed |= detached.ok();
  };
  for (const state::v1::PciDevice& device : machine.pci_devices()) {
    release(device.id(), "device", [&](const std::string& id) {
      return device.kind() == kNic ? pod.machine()->DetachNic(id, context)
                                   : pod.machine()->DetachHostDevice(id, context);
    });
  }
  for (const state::v1::BlockDevice& device : machine.block_devices()) {
    release(device.id(), "disk", [&](const std::string& id) { return DetachDisk(pod, id, context); });
  }
  for (const state::v1::SharedDirectory& directory : machine.shared_directories()) {
    release(directory.tag(), "directory",
            [&](const std::string& tag) { return pod.machine()->UnshareDirectory(tag, context); });
  }
  if (!changed) return;
  (void)pod.Change([&](state::v1::PodRecord& record) { *record.mutable_vm() = pod.machine()->Record(); },
                   /*fact=*/true);
}

}  // namespace vcd

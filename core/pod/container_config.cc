// SPDX-License-Identifier: Apache-2.0
#include "core/pod/container_config.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/device/host_device.h"
#include "core/device/host_disk.h"
#include "core/model/field_checks.h"
#include "core/model/ids.h"
#include "core/model/mounts.h"
#include "core/model/rootfs_image.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// That the path is a disk which a guest may have.
absl::Status CheckDisk(const HostTree& host, const std::string& path, bool writable, const std::string& field) {
  const absl::StatusOr<HostDisk> disk = FindHostDisk(path);
  if (!disk.ok()) return InvalidField(field, disk.status().message());
  if (!writable && !disk->is_device) return absl::OkStatus();
  const absl::Status free = CheckDiskIsFree(host, *disk, writable);
  return free.ok() ? free : InvalidField(field, free.message());
}

// The same, and that it holds a file system of the type, which is filled in where it is empty. `field` is that of the
// path.
absl::Status CheckFilesystem(const HostTree& host, const std::string& path, bool writable, const std::string& field,
                             const std::string& type_field, std::string* type) {
  VCD_RETURN_IF_ERROR(CheckDisk(host, path, writable, field));
  const absl::StatusOr<std::string> found = DetectRootfsImage(path);
  if (!found.ok()) return InvalidField(field, found.status().message());
  if (type->empty()) *type = *found;
  if (*type == *found) return absl::OkStatus();
  return InvalidField(type_field, absl::StrCat("\"", *type, "\", but ", path, " holds ", *found));
}

// That the path is something that can be shared.
absl::Status CheckShareSource(const std::string& path, const std::string& field) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) return InvalidField(field, absl::StrCat(path, ": ", std::strerror(errno)));
  if (S_ISDIR(status.st_mode) || S_ISREG(status.st_mode)) return absl::OkStatus();
  return InvalidField(field, absl::StrCat(path,
                                          ": is neither a directory nor a file; a guest cannot reach a socket, "
                                          "pipe or device of the host this way"));
}

absl::Status CompleteRootfs(v1::Rootfs& rootfs, const HostTree& host, const std::string& field) {
  if (rootfs.has_image()) {
    v1::ImageRootfs& image = *rootfs.mutable_image();
    return CheckFilesystem(host, image.path(), /*writable=*/false, absl::StrCat(field, ".image.path"),
                           absl::StrCat(field, ".image.fs_type"), image.mutable_fs_type());
  }
  if (rootfs.has_block()) {
    v1::BlockRootfs& block = *rootfs.mutable_block();
    return CheckFilesystem(host, block.path(), !rootfs.readonly(), absl::StrCat(field, ".block.path"),
                           absl::StrCat(field, ".block.fs_type"), block.mutable_fs_type());
  }
  return CheckRootfsDirectory(rootfs.directory().path(), absl::StrCat(field, ".directory.path"));
}

absl::Status CheckMountSource(const v1::Mount& mount, const HostTree& host, const std::string& field) {
  const std::string source = absl::StrCat(field, ".source");
  switch (KindOf(mount).value_or(MountKind::kGuest)) {
    case MountKind::kBind:
      return CheckShareSource(mount.source(), source);
    case MountKind::kDisk: {
      std::string type = mount.type();
      return CheckFilesystem(host, mount.source(), !IsReadOnly(mount), source, absl::StrCat(field, ".type"), &type);
    }
    case MountKind::kVolume:
    case MountKind::kGuest:
    case MountKind::kGuestsOwn:
      break;
  }
  return absl::OkStatus();
}

absl::Status CheckHostDevice(const v1::Device& device, const HostTree& host, const std::string& field) {
  if (device.host_path().empty()) return absl::OkStatus();
  const std::string path_field = absl::StrCat(field, ".host_path");
  const absl::StatusOr<HostDeviceKind> kind = ClassifyHostDevice(device.host_path());
  if (absl::IsUnimplemented(kind.status())) return Annotate(kind.status(), absl::StrCat("`", path_field, "`"));
  if (!kind.ok()) return InvalidField(path_field, kind.status().message());
  if (*kind == HostDeviceKind::kDisk) return CheckDisk(host, device.host_path(), !device.readonly(), path_field);
  if (device.readonly()) return InvalidField(absl::StrCat(field, ".readonly"), "is for a disk of `host_path`");
  if (*kind == HostDeviceKind::kGuestsOwn) return absl::OkStatus();
  const auto devices = FindVfioDevices(host, device.host_path());
  return devices.ok() ? absl::OkStatus() : InvalidField(path_field, devices.status().message());
}

}  // namespace

absl::Status CompleteContainerConfig(v1::ContainerConfig& config, const HostTree& host, bool reads_rootfs,
                                     const std::string& field) {
  if (config.id().empty()) config.set_id(GenerateId());
  if (!reads_rootfs) return absl::OkStatus();
  VCD_RETURN_IF_ERROR(CompleteRootfs(*config.mutable_rootfs(), host, absl::StrCat(field, ".rootfs")));
  for (int i = 0; i < config.mounts_size(); ++i) {
    VCD_RETURN_IF_ERROR(CheckMountSource(config.mounts(i), host, Element(absl::StrCat(field, ".mounts"), i)));
  }
  for (int i = 0; i < config.devices_size(); ++i) {
    VCD_RETURN_IF_ERROR(CheckHostDevice(config.devices(i), host, Element(absl::StrCat(field, ".devices"), i)));
  }
  return absl::OkStatus();
}

absl::Status CheckVolumeSources(const v1::PodConfig& config, const std::string& field) {
  for (int i = 0; i < config.volumes_size(); ++i) {
    VCD_RETURN_IF_ERROR(CheckShareSource(config.volumes(i).host_path(),
                                         absl::StrCat(Element(absl::StrCat(field, ".volumes"), i), ".host_path")));
  }
  return absl::OkStatus();
}

}  // namespace vcd

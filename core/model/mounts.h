// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_MODEL_MOUNTS_H_
#define VCD_CORE_MODEL_MOUNTS_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "proto/vcd/v1/container.pb.h"
#include "proto/vcd/v1/pod.pb.h"

namespace vcd {

// What a mount of a container needs.
enum class MountKind {
  kGuest,      // Nothing of the host: tmpfs, proc, …
  kGuestsOwn,  // Nothing at all: the host's /proc, /sys or /dev on the same place, where every container has the
               // guest's.
  kBind,       // A directory or file of the host.
  kVolume,     // A volume of the pod.
  kDisk,       // A block device or image file of the host.
};

// Nothing for a type that is not known.
std::optional<MountKind> KindOf(const v1::Mount& mount);

// Whether the guest only reads what the mount shows.
bool IsReadOnly(const v1::Mount& mount);
// Whether a bind mount brings along what is mounted below its source.
bool IsRecursive(const v1::Mount& mount);

// Whether it is a file system that a disk can hold; and all of them, for messages.
bool IsDiskFilesystem(absl::string_view type);
inline constexpr char kDiskFilesystems[] = "ext4, xfs, erofs, squashfs";

// Parts of what pod_validation.h promises. Of one mount, whatever the pod is;
absl::Status CheckMounts(const v1::ContainerConfig& config, const std::string& field);
// that the pod has the volumes that they name;
absl::Status CheckVolumeTags(const v1::ContainerConfig& config, const v1::PodConfig& pod, const std::string& field);
// and the volumes themselves.
absl::Status CheckVolumes(const v1::PodConfig& config, const std::string& field);

// Whether anything of the host is shared with the guest, other than disks.
bool SharesDirectories(const v1::ContainerConfig& config);

}  // namespace vcd

#endif  // VCD_CORE_MODEL_MOUNTS_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_DEVICE_HOST_DISK_H_
#define VCD_CORE_DEVICE_HOST_DISK_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <tuple>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/device/host_tree.h"

namespace vcd {

// An image file or block device of the host, told apart from others by number, whatever its names are.
struct HostDisk {
  std::string path;
  bool is_device = false;
  dev_t device = 0;  // Of the block device, or of the file system that holds the file.
  ino_t inode = 0;   // Of the file.

  bool Is(const HostDisk& other) const {
    return std::tie(is_device, device, inode) == std::tie(other.is_device, other.device, other.inode);
  }
};

// kNotFound, kPermissionDenied; kInvalidArgument for what is neither a file nor a block device. Names the path.
absl::StatusOr<HostDisk> FindHostDisk(const std::string& path);

// Whether a guest may have the disk while the host goes on. kFailedPrecondition, saying what to do, when the host has
// it mounted: to be written by anybody where the guest only reads it, or at all where the guest writes it; and for a
// guest that writes, when something else on the host is made of it, such as a logical volume. Its partitions count, and
// so do loop devices over a file.
absl::Status CheckDiskIsFree(const HostTree& host, const HostDisk& disk, bool writable);

// A block device that a directory is the root of.
struct MappedRoot {
  std::string device_path;
  bool readonly = false;  // The host has it mounted read-only.
};

// The device-mapper device that is mounted at `directory`, whose file system has the number `device`; nothing where the
// directory is something else, or only a part of one.
absl::StatusOr<std::optional<MappedRoot>> FindMappedRoot(const HostTree& host, const std::string& directory,
                                                         dev_t device);

}  // namespace vcd

#endif  // VCD_CORE_DEVICE_HOST_DISK_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_MODEL_ROOTFS_IMAGE_H_
#define VCD_CORE_MODEL_ROOTFS_IMAGE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace vcd {

// Reads from its superblock which file system an image file or block device holds: "erofs", "squashfs", "xfs" or
// "ext4" (which ext2 and ext3 are to the kernel). Blocks on the disk, never on a FIFO. Errors name the path:
// kNotFound; kInvalidArgument for a directory, another kind of file, an empty or unknown image; kPermissionDenied.
absl::StatusOr<std::string> DetectRootfsImage(const std::string& path);

// Whether there is a directory. kInvalidArgument (INVALID_FIELD) naming `field`, the path and what is there instead.
absl::Status CheckRootfsDirectory(const std::string& path, const std::string& field);

}  // namespace vcd

#endif  // VCD_CORE_MODEL_ROOTFS_IMAGE_H_

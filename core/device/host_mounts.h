// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_DEVICE_HOST_MOUNTS_H_
#define VCD_CORE_DEVICE_HOST_MOUNTS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/device/host_tree.h"

namespace vcd {

// A mount of the host.
struct HostMount {
  dev_t device = 0;  // Number of the file system.
  std::string root;  // What of the file system is mounted.
  std::string mount_point;
  std::string fs_type;
  std::string source;
  bool readonly = false;  // The file system, not just this view of it.
};

// The lines of a mountinfo file (proc(5)), in their order: the last of several mounts on one place is the one that is
// seen. Lines of another form are left out.
std::vector<HostMount> ParseMountinfo(absl::string_view text);

// Those of the host. Blocks for as long as the kernel takes, not on any file system.
absl::StatusOr<std::vector<HostMount>> ReadHostMounts(const HostTree& host);

}  // namespace vcd

#endif  // VCD_CORE_DEVICE_HOST_MOUNTS_H_

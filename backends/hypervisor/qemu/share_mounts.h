// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_SHARE_MOUNTS_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_SHARE_MOUNTS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/hypervisor/hypervisor.h"
#include "core/os/unique_fd.h"

// The mounts that a file server shows to a guest. All of them are in the server's mount namespace and nowhere else: no
// mount table of the host lists one, and they end with the server, whatever ends it. The root is a small file system in
// memory that holds mount points and nothing else, and that the server can only read.
namespace vcd {

// The most shares of one machine.
inline constexpr int kMaxShares = 512;

// An empty root, mounted nowhere yet.
absl::StatusOr<UniqueFd> MakeShareRoot();

// What the guest shall see, mounted nowhere yet.
struct ShareMount {
  UniqueFd mount;
  bool directory = false;
};

// Takes hold of a directory or regular file of the host. Symbolic links in the path are followed once, here. Neither
// who serves the mount nor the guest can write to it when the share is read-only, and none of both meets a device node
// that works, a set-user-ID bit, or a link that leads somewhere. With a user namespace (else -1), user N of it is user
// N of the disk. kNotFound, kInvalidArgument for other kinds of files, kFailedPrecondition when its file system cannot
// do so.
absl::StatusOr<ShareMount> CloneForGuest(const ShareSpec& share, int user_namespace);

// Puts it below the root that the process shows, as `name`, or takes it away. Nothing stays on failure; OK when there
// is nothing to take away. kNotFound when the process has ended.
absl::Status PlaceShare(int pidfd, const ShareMount& share, const std::string& name);
absl::Status RemoveShare(int pidfd, const std::string& name);

// The names that are there.
absl::StatusOr<std::vector<std::string>> ListShares(int pidfd);

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_SHARE_MOUNTS_H_

// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/share_mounts.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "absl/strings/str_cat.h"
#include "backends/hypervisor/qemu/mapped_mounts.h"
#include "core/os/mount_namespace.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// A mount point takes one; the root another.
constexpr int kRootInodes = kMaxShares + 1;
constexpr char kRootBytes[] = "1m";  // Of names: the files are empty.

// Of every mount that a guest looks into. What these words mean is the guest's business, on its own mounts.
constexpr uint64_t kHarmless = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW;

absl::Status Set(int context, const char* key, const std::string& value) {
  if (fsconfig(context, FSCONFIG_SET_STRING, key, value.c_str(), 0) == 0) return absl::OkStatus();
  return PosixError(errno, absl::StrCat("make the root of shares: ", key, "=", value));
}

// The root of the share's mounts once more, to make and remove mount points in: where the process sees it, it is
// read-only. On a thread in the process's mount namespace.
absl::StatusOr<UniqueFd> OpenRoot() {
  struct statfs info;
  if (statfs("/", &info) != 0) return PosixError(errno, "look at the root of shares");
  if (info.f_type != TMPFS_MAGIC || info.f_files != kRootInodes) {
    return absl::InternalError("the file server does not show the root of shares");
  }
  UniqueFd root(open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!root.valid()) return PosixError(errno, "open the root of shares");
  mount_attr writable = {};
  writable.attr_clr = MOUNT_ATTR_RDONLY;
  if (mount_setattr(root.get(), "", AT_EMPTY_PATH, &writable, sizeof(writable)) != 0) {
    return PosixError(errno, "write to the root of shares");
  }
  return root;
}

absl::Status MakeMountPoint(int root, const std::string& name, bool directory) {
  if (directory) {
    if (mkdirat(root, name.c_str(), 0755) == 0) return absl::OkStatus();
  } else if (UniqueFd(openat(root, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)).valid()) {
    return absl::OkStatus();
  }
  return PosixError(errno, absl::StrCat("make the mount point ", name));
}

absl::Status RemoveMountPoint(int root, const std::string& name) {
  if (unlinkat(root, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return absl::OkStatus();
  if (errno == ENOTDIR && unlinkat(root, name.c_str(), 0) == 0) return absl::OkStatus();
  return PosixError(errno, absl::StrCat("remove the mount point ", name));
}

}  // namespace

absl::StatusOr<UniqueFd> MakeShareRoot() {
  const UniqueFd context(fsopen("tmpfs", FSOPEN_CLOEXEC));
  if (!context.valid()) return PosixError(errno, "make the root of shares");
  VCD_RETURN_IF_ERROR(Set(context.get(), "source", "vcd"));
  VCD_RETURN_IF_ERROR(Set(context.get(), "size", kRootBytes));
  VCD_RETURN_IF_ERROR(Set(context.get(), "nr_inodes", absl::StrCat(kRootInodes)));
  VCD_RETURN_IF_ERROR(Set(context.get(), "mode", "0755"));
  if (fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return PosixError(errno, "make the root of shares");
  }
  UniqueFd root(fsmount(context.get(), FSMOUNT_CLOEXEC, kHarmless | MOUNT_ATTR_RDONLY));
  if (!root.valid()) return PosixError(errno, "mount the root of shares");
  return root;
}

absl::StatusOr<ShareMount> CloneForGuest(const ShareSpec& share, int user_namespace) {
  const std::string step = absl::StrCat("share ", share.host_path);
  const UniqueFd source(open(share.host_path.c_str(), O_PATH | O_CLOEXEC));
  struct stat info;
  if (!source.valid() || fstat(source.get(), &info) != 0) return PosixError(errno, step);
  if (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(step, ": neither a directory nor a regular file"));
  }
  const unsigned int recursive = share.recursive ? AT_RECURSIVE : 0;
  ShareMount clone;
  clone.directory = S_ISDIR(info.st_mode);
  clone.mount = UniqueFd(open_tree(source.get(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | recursive));
  if (!clone.mount.valid()) return PosixError(errno, absl::StrCat(step, ": take hold of it"));
  mount_attr attributes = {};
  attributes.attr_set = kHarmless | (share.readonly ? MOUNT_ATTR_RDONLY : 0);
  // What the host mounts or unmounts from now on is no business of the guest's, and the other way round.
  attributes.propagation = MS_PRIVATE;
  const unsigned int flags = AT_EMPTY_PATH | recursive;
  if (mount_setattr(clone.mount.get(), "", flags, &attributes, sizeof(attributes)) != 0) {
    return PosixError(errno, absl::StrCat(step, ": confine the guest to it"));
  }
  if (user_namespace < 0) return clone;
  mount_attr ids = {};
  ids.attr_set = MOUNT_ATTR_IDMAP;
  ids.userns_fd = static_cast<uint64_t>(user_namespace);
  if (mount_setattr(clone.mount.get(), "", flags, &ids, sizeof(ids)) == 0) return clone;
  if (errno != EINVAL && errno != EPERM) return PosixError(errno, absl::StrCat(step, ": map the ids of its files"));
  return absl::FailedPreconditionError(
      absl::StrCat(step, ": the ids of its files cannot be mapped to the pod's, which ",
                   DescribeUnmappable(source.get(), share.recursive, user_namespace),
                   " does not support; put it on another file system (ext4, xfs and btrfs support it), or let pods run "
                   "as root: `user = \"root\"` in [confinement]"));
}

absl::Status PlaceShare(int pidfd, const ShareMount& share, const std::string& name) {
  return InMountNamespaceOf(pidfd, [&]() -> absl::Status {
    VCD_ASSIGN_OR_RETURN(const UniqueFd root, OpenRoot());
    VCD_RETURN_IF_ERROR(MakeMountPoint(root.get(), name, share.directory));
    if (move_mount(share.mount.get(), "", AT_FDCWD, absl::StrCat("/", name).c_str(), MOVE_MOUNT_F_EMPTY_PATH) == 0) {
      return absl::OkStatus();
    }
    const absl::Status error = PosixError(errno, absl::StrCat("mount the share ", name));
    RemoveMountPoint(root.get(), name).IgnoreError();
    return error;
  });
}

absl::Status RemoveShare(int pidfd, const std::string& name) {
  return InMountNamespaceOf(pidfd, [&]() -> absl::Status {
    VCD_ASSIGN_OR_RETURN(const UniqueFd root, OpenRoot());
    // Detached: the server may hold files of it open for the guest, and lets them go when the guest does.
    if (umount2(absl::StrCat("/", name).c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL &&
        errno != ENOENT) {
      return PosixError(errno, absl::StrCat("unmount the share ", name));
    }
    return RemoveMountPoint(root.get(), name);
  });
}

absl::StatusOr<std::vector<std::string>> ListShares(int pidfd) {
  std::vector<std::string> names;
  const absl::Status listed = InMountNamespaceOf(pidfd, [&]() -> absl::Status {
    VCD_RETURN_IF_ERROR(OpenRoot().status());
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/"), closedir);
    if (directory == nullptr) return PosixError(errno, "list the shares");
    while (const dirent* entry = readdir(directory.get())) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
    }
    return absl::OkStatus();
  });
  VCD_RETURN_IF_ERROR(listed);
  return names;
}

}  // namespace vcd

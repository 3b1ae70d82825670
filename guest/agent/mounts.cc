// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/mounts.h"

#include <sys/mount.h>
#include <sys/statvfs.h>

namespace vcd::guest {

Outcome Mount(const MountRequest& request) {
  if (::mount(request.source.c_str(), request.target.c_str(), request.fs_type.c_str(), request.flags,
              request.options.c_str()) != 0) {
    return SystemFailure("mount " + request.fs_type + " " + request.source + " on " + request.target);
  }
  return Outcome();
}

Outcome BindMount(const std::string& source, const std::string& target) {
  if (::mount(source.c_str(), target.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) {
    return SystemFailure("bind " + source + " to " + target);
  }
  return Outcome();
}

Outcome MakeMountReadOnly(const std::string& target) {
  struct statvfs info {};
  if (::statvfs(target.c_str(), &info) != 0) return SystemFailure("statvfs " + target);
  // A remount sets every flag anew, so those that are set must be repeated.
  unsigned long flags = MS_BIND | MS_REMOUNT | MS_RDONLY;
  if ((info.f_flag & ST_NOSUID) != 0) flags |= MS_NOSUID;
  if ((info.f_flag & ST_NODEV) != 0) flags |= MS_NODEV;
  if ((info.f_flag & ST_NOEXEC) != 0) flags |= MS_NOEXEC;
  if ((info.f_flag & ST_NOATIME) != 0) flags |= MS_NOATIME;
  if ((info.f_flag & ST_NODIRATIME) != 0) flags |= MS_NODIRATIME;
  if ((info.f_flag & ST_RELATIME) != 0) flags |= MS_RELATIME;
  if (::mount(nullptr, target.c_str(), nullptr, flags, nullptr) != 0) {
    return SystemFailure("make " + target + " read-only");
  }
  return Outcome();
}

void Unmount(const std::string& target) {
  if (::umount2(target.c_str(), UMOUNT_NOFOLLOW) != 0) ::umount2(target.c_str(), UMOUNT_NOFOLLOW | MNT_DETACH);
}

}  // namespace vcd::guest

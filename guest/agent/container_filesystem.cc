// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/container_filesystem.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "core/os/unique_fd.h"
#include "guest/agent/container_devices.h"
#include "guest/agent/container_mounts.h"
#include "guest/agent/container_paths.h"
#include "guest/agent/container_settings.h"
#include "guest/agent/file_io.h"
#include "guest/agent/mounts.h"

namespace vcd::guest {
namespace {

// Mounts an overlay of `base` and a tmpfs on `root`, which must be below `memory`, the directory that the tmpfs covers.
Outcome MountOverlay(const std::string& base, const std::string& memory, std::string* root) {
  if (Outcome m = Mount({"tmpfs", memory, "tmpfs", MS_NODEV, "mode=0700"}); !m.ok()) return m;
  const std::string upper = memory + "/upper";
  const std::string work = memory + "/work";
  *root = memory + "/root";
  for (const std::string& directory : {upper, work, *root}) {
    if (Outcome made = MakeDirectories(directory); !made.ok()) return made;
  }
  // The overlay's root directory takes owner and mode from the upper layer.
  struct stat info {};
  if (::stat(base.c_str(), &info) != 0) return SystemFailure("stat the root file system");
  if (::chown(upper.c_str(), info.st_uid, info.st_gid) != 0 || ::chmod(upper.c_str(), info.st_mode & 07777) != 0) {
    return SystemFailure("copy the root directory's owner and mode");
  }
  return Mount({"overlay", *root, "overlay", 0, "lowerdir=" + base + ",upperdir=" + upper + ",workdir=" + work});
}

Outcome MountDisk(const FilesystemRequest& disk, const std::string& place) {
  OutcomeOr<UniqueFd> mount = MakeFilesystem(disk);
  if (!mount.ok()) {
    return Outcome(mount.outcome().code(),
                   mount.outcome().message() + " (is the disk a whole " + disk.type + " image, without partitions?)");
  }
  const UniqueFd directory(::open(place.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  return directory.valid() ? AttachMount(*mount, directory, place) : SystemFailure("open " + place);
}

// A directory to mount on. A symbolic link of that name would put the mount somewhere else, so it is refused.
Outcome MakeMountPoint(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0) return Outcome();
  const int error = errno;
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    const bool damaged = error == EUCLEAN || error == EIO;
    return SystemFailure("make " + path + " in the root file system" + (damaged ? ", whose image is damaged" : ""),
                         error);
  }
  if (!S_ISDIR(info.st_mode)) return SystemFailure("mount on " + path + " in the root file system", ENOTDIR);
  return Outcome();
}

Outcome MountKernelFilesystems(uint64_t shm_size_bytes) {
  constexpr unsigned long kSafe = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  std::string shm_options = "mode=1777";
  if (shm_size_bytes != 0) shm_options += ",size=" + std::to_string(shm_size_bytes);
  for (const MountRequest& request : {
           MountRequest{"proc", "/proc", "proc", kSafe, ""},
           MountRequest{"sysfs", "/sys", "sysfs", kSafe | MS_RDONLY, ""},
           MountRequest{"tmpfs", "/dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"},
           MountRequest{"devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
                        "newinstance,ptmxmode=0666,mode=0620,gid=5"},
           MountRequest{"shm", "/dev/shm", "tmpfs", kSafe, shm_options},
           MountRequest{"mqueue", "/dev/mqueue", "mqueue", kSafe, ""},
       }) {
    if (Outcome made = MakeMountPoint(request.target); !made.ok()) return made;
    if (Outcome mounted = Mount(request); !mounted.ok()) return mounted;
  }
  // Where the machine has the unified hierarchy the container sees its own part of it, read-only. Not every program
  // looks, and a kernel without it runs containers as well, so a refusal is no failure.
  (void)Mount({"cgroup2", "/sys/fs/cgroup", "cgroup2", kSafe | MS_RDONLY, ""});
  return Outcome();
}

}  // namespace

Outcome PivotRoot(const std::string& root) {
  if (::chdir(root.c_str()) != 0) return SystemFailure("enter " + root);
  // The old root lands on top of the new one, and is taken off it: no directory for it is needed.
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return SystemFailure("pivot_root to " + root);
  if (::umount2(".", MNT_DETACH) != 0) return SystemFailure("detach the old root");
  if (::chdir("/") != 0) return SystemFailure("enter the new root");
  return Outcome();
}

Outcome EnterContainerFilesystem(const RootPlan& plan, const ::vcd::agent::v1::LinuxSettings& settings,
                                 const std::string& work_dir) {
  // Or what is mounted here would show up in the agent's namespace.
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return SystemFailure("make the mounts private");
  }
  ::umask(0);
  OutcomeOr<NameFiles> name_files = NameFiles::Make(settings, plan.scratch, plan.readonly);
  if (!name_files.ok()) return name_files.outcome();
  OutcomeOr<ContainerMounts> mounts = ContainerMounts::Open(settings);
  if (!mounts.ok()) return mounts.outcome();
  if (plan.disk) {
    if (Outcome done = MountDisk(*plan.disk, plan.base); !done.ok()) return done;
  }
  std::string root = plan.scratch;
  const Outcome rooted = plan.overlay ? MountOverlay(plan.base, plan.scratch, &root) : BindMount(plan.base, root);
  if (!rooted.ok()) return rooted;
  if (Outcome done = PivotRoot(root); !done.ok()) return done;
  if (Outcome done = MountKernelFilesystems(settings.shm_size_bytes()); !done.ok()) return done;
  if (Outcome done = MakeStandardDevices(); !done.ok()) return done;
  if (Outcome done = SetSysctls(settings); !done.ok()) return done;
  if (Outcome done = mounts->Attach(settings); !done.ok()) return done;
  if (Outcome done = MakeDeviceNodes(settings); !done.ok()) return done;
  if (Outcome done = name_files->Attach(); !done.ok()) return done;
  if (Outcome done = HidePaths(settings); !done.ok()) return done;
  if (!plan.readonly) return Outcome();
  if (!work_dir.empty()) {
    if (OutcomeOr<UniqueFd> made = MakeDirectoryInContainer(work_dir); !made.ok()) return made.outcome();
  }
  return MakeMountReadOnly("/");
}

}  // namespace vcd::guest

// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/container_filesystem.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

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

Outcome PivotRoot(const std::string& root) {
  if (::chdir(root.c_str()) != 0) return SystemFailure("enter " + root);
  // The old root lands on top of the new one, and is taken off it: no directory for it is needed.
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return SystemFailure("pivot_root to " + root);
  if (::umount2(".", MNT_DETACH) != 0) return SystemFailure("detach the old root");
  if (::chdir("/") != 0) return SystemFailure("enter the new root");
  return Outcome();
}

// A directory to mount on. A symbolic link of that name would put the mount somewhere else, so it is refused.
Outcome MakeMountPoint(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0) return Outcome();
  const int error = errno;
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return SystemFailure("make " + path + " in the root file system", error);
  if (!S_ISDIR(info.st_mode)) return SystemFailure("mount on " + path + " in the root file system", ENOTDIR);
  return Outcome();
}

Outcome MountKernelFilesystems() {
  constexpr unsigned long kSafe = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  for (const MountRequest& request : {
           MountRequest{"proc", "/proc", "proc", kSafe, ""},
           MountRequest{"sysfs", "/sys", "sysfs", kSafe | MS_RDONLY, ""},
           MountRequest{"tmpfs", "/dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"},
           MountRequest{"devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
                        "newinstance,ptmxmode=0666,mode=0620,gid=5"},
           MountRequest{"shm", "/dev/shm", "tmpfs", kSafe, "mode=1777,size=65536k"},
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

Outcome MakeDevices() {
  struct Node {
    const char* path;
    unsigned major, minor;
  };
  for (const Node& node : {Node{"/dev/null", 1, 3}, Node{"/dev/zero", 1, 5}, Node{"/dev/full", 1, 7},
                           Node{"/dev/random", 1, 8}, Node{"/dev/urandom", 1, 9}, Node{"/dev/tty", 5, 0}}) {
    if (::mknod(node.path, S_IFCHR | 0666, makedev(node.major, node.minor)) != 0) {
      return SystemFailure(std::string("make ") + node.path);
    }
    ::chmod(node.path, 0666);  // mknod's mode went through the umask.
  }
  struct Link {
    const char* target;
    const char* path;
  };
  for (const Link& link :
       {Link{"/proc/self/fd", "/dev/fd"}, Link{"/proc/self/fd/0", "/dev/stdin"}, Link{"/proc/self/fd/1", "/dev/stdout"},
        Link{"/proc/self/fd/2", "/dev/stderr"}, Link{"pts/ptmx", "/dev/ptmx"}}) {
    if (::symlink(link.target, link.path) != 0) return SystemFailure(std::string("make ") + link.path);
  }
  return Outcome();
}

// What of /proc and /sys reaches beyond the container, as other runtimes hide it.
Outcome HideKernelFiles() {
  for (const char* path : {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}) {
    if (::access(path, F_OK) != 0) continue;
    if (Outcome bound = BindMount(path, path); !bound.ok()) return bound;
    if (Outcome done = MakeMountReadOnly(path); !done.ok()) return done;
  }
  for (const char* path : {"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
                           "/proc/sched_debug", "/proc/scsi", "/sys/firmware"}) {
    struct stat info {};
    if (::stat(path, &info) != 0) continue;
    const Outcome hidden =
        S_ISDIR(info.st_mode) ? Mount({"tmpfs", path, "tmpfs", MS_RDONLY, "size=0"}) : BindMount("/dev/null", path);
    if (!hidden.ok()) return hidden;
  }
  return Outcome();
}

}  // namespace

Outcome EnterContainerFilesystem(const RootPlan& plan) {
  // Or what is mounted here would show up in the agent's namespace.
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return SystemFailure("make the mounts private");
  }
  std::string root = plan.scratch;
  const Outcome rooted = plan.overlay ? MountOverlay(plan.base, plan.scratch, &root) : BindMount(plan.base, root);
  if (!rooted.ok()) return rooted;
  ::umask(0);
  using Step = Outcome (*)();
  if (Outcome done = PivotRoot(root); !done.ok()) return done;
  for (const Step step : {&MountKernelFilesystems, &MakeDevices, &HideKernelFiles}) {
    if (Outcome done = step(); !done.ok()) return done;
  }
  ::umask(022);
  return plan.readonly ? MakeMountReadOnly("/") : Outcome();
}

}  // namespace vcd::guest

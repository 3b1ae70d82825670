// SPDX-License-Identifier: Apache-2.0
#include "core/netns/network_namespace.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "core/os/process.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

absl::Status NetworkError(const absl::Status& status) { return WithDetail(status, {v1::ERROR_REASON_NETWORK, {}}); }

absl::Status KernelError(int error_number, absl::string_view step) {
  return NetworkError(PosixError(error_number, step));
}

absl::Status Refused(absl::string_view name, absl::string_view problem) {
  return NetworkError(absl::FailedPreconditionError(absl::StrCat(name, ": ", problem)));
}

// A link to what is open, or merely named, that mount(2) and open(2) follow.
std::string Link(const UniqueFd& fd) { return absl::StrCat("/proc/self/fd/", fd.get()); }

// Whether a descriptor, O_PATH or not, is of a namespace of any kind.
bool IsNamespace(const UniqueFd& fd) {
  struct statfs filesystem {};
  return ::fstatfs(fd.get(), &filesystem) == 0 && filesystem.f_type == NSFS_MAGIC;
}

std::optional<NetworkNamespace::Identity> IdentityOf(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return NetworkNamespace::Identity{status.st_dev, status.st_ino};
}

// A name without content, for a namespace to be mounted on.
absl::Status MakeEmptyFile(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444));
  if (!file.valid()) return KernelError(errno, absl::StrCat("make ", path, " for a network namespace"));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<NetworkNamespace> NetworkNamespace::Adopt(UniqueFd fd, const std::string& name) {
  if (!IsNamespace(fd) || ::ioctl(fd.get(), NS_GET_NSTYPE) != CLONE_NEWNET) {
    return Refused(name,
                   "is no network namespace; name a file that one is mounted on, such as `ip netns add` makes in "
                   "/run/netns");
  }
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return KernelError(errno, absl::StrCat("look at ", name));
  return NetworkNamespace(std::move(fd), Identity{status.st_dev, status.st_ino});
}

absl::StatusOr<NetworkNamespace> NetworkNamespace::Open(const std::string& path) {
  // Merely named first: opening a device or a pipe has effects.
  const UniqueFd named(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!named.valid()) return KernelError(errno, absl::StrCat("open network namespace ", path));
  if (!IsNamespace(named)) return Adopt(UniqueFd(), path);
  UniqueFd fd(::open(Link(named).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return KernelError(errno, absl::StrCat("open network namespace ", path));
  VCD_ASSIGN_OR_RETURN(NetworkNamespace found, Adopt(std::move(fd), path));
  if (found.identity() == IdentityOf("/proc/1/ns/net") || found.identity() == IdentityOf("/proc/self/ns/net")) {
    return Refused(path, "is the host's own network namespace, which a pod must not have; make one for the pod");
  }
  return found;
}

absl::StatusOr<NetworkNamespace> NetworkNamespace::OfProcess(pid_t pid) {
  VCD_ASSIGN_OR_RETURN(const ProcessIdentity process, IdentifyProcess(pid));
  absl::StatusOr<NetworkNamespace> found = Open(absl::StrCat("/proc/", pid, "/ns/net"));
  if (!found.ok()) return Annotate(found.status(), absl::StrCat("process ", pid));
  // The number may have become another process's between the two.
  VCD_RETURN_IF_ERROR(OpenPidfd(process).status());
  return found;
}

absl::StatusOr<NetworkNamespace> NetworkNamespace::Make() {
  UniqueFd fd;
  int error = 0;
  std::thread thread([&fd, &error] {
    if (::unshare(CLONE_NEWNET) == 0) fd.Reset(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) error = errno;
  });
  thread.join();
  if (!fd.valid()) return KernelError(error, "make a network namespace");
  return Adopt(std::move(fd), "a network namespace that was just made");
}

absl::Status NetworkNamespace::Run(const std::function<absl::Status()>& work) const {
  absl::Status status;
  std::thread thread([this, &work, &status] {
    status = ::setns(fd_.get(), CLONE_NEWNET) == 0 ? work() : KernelError(errno, "enter a network namespace");
  });
  thread.join();
  return status;
}

absl::Status NetworkNamespace::MountAt(const std::string& path) const {
  VCD_RETURN_IF_ERROR(MakeEmptyFile(path));
  if (::mount(Link(fd_).c_str(), path.c_str(), nullptr, MS_BIND, nullptr) == 0) return absl::OkStatus();
  const int error = errno;
  ::unlink(path.c_str());
  return KernelError(error, absl::StrCat("mount a network namespace on ", path));
}

absl::Status RemoveNetworkNamespace(const std::string& path) {
  while (true) {
    const UniqueFd named(::open(path.c_str(), O_PATH | O_CLOEXEC | O_NOFOLLOW));
    if (!named.valid() && errno == ENOENT) return absl::OkStatus();
    struct stat status {};
    if (!named.valid() || ::fstat(named.get(), &status) != 0) return KernelError(errno, absl::StrCat("look at ", path));
    if (!IsNamespace(named)) {
      if (!S_ISREG(status.st_mode) || status.st_size != 0) {
        return Refused(path, "is not the file that a network namespace was mounted on; it is left alone: remove it");
      }
      if (::unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
      return KernelError(errno, absl::StrCat("remove ", path));
    }
    // Others may have mounted it there again: one at a time, until the file itself appears.
    if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0) {
      return KernelError(errno, absl::StrCat("unmount the network namespace on ", path));
    }
  }
}

}  // namespace vcd

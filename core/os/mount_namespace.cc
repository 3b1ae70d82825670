// SPDX-License-Identifier: Apache-2.0
#include "core/os/mount_namespace.h"

#include <sched.h>

#include <cerrno>
#include <thread>

#include "core/status/error_detail.h"

namespace vcd {
namespace {

absl::Status Enter(int pidfd) {
  // Threads share their root and working directory until they say otherwise, and who shares them enters nothing.
  if (unshare(CLONE_FS) != 0) return PosixError(errno, "leave the threads' common root directory");
  if (setns(pidfd, CLONE_NEWNS) == 0) return absl::OkStatus();
  if (errno == ESRCH) return absl::NotFoundError("enter a mount namespace: its process has ended");
  return PosixError(errno, "enter a mount namespace");
}

}  // namespace

absl::Status InMountNamespaceOf(int pidfd, const std::function<absl::Status()>& work) {
  absl::Status status;
  std::thread thread([&] {
    status = Enter(pidfd);
    if (status.ok()) status = work();
  });
  thread.join();
  return status;
}

}  // namespace vcd

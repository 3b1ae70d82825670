// SPDX-License-Identifier: Apache-2.0
#include "core/os/user_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

absl::Status WriteMap(pid_t pid, const char* kind, const std::string& map) {
  const std::string path = absl::StrCat("/proc/", pid, "/", kind);
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  // All of a map in one write(2): the kernel takes no second one.
  if (!file.valid() || write(file.get(), map.data(), map.size()) != static_cast<ssize_t>(map.size())) {
    return PosixError(errno, absl::StrCat("make a user namespace: ", kind, " \"", map, "\""));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<UniqueFd> MakeUserNamespace(uid_t first_id, uint32_t count) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return PosixError(errno, "make a user namespace: pipe");
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);

  // A namespace begins with a process in it. This one does nothing until we have taken hold of what it holds, or are
  // gone.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const auto pid = static_cast<pid_t>(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  if (pid == 0) {
    close(write_end.get());
    char byte;
    (void)!read(read_end.get(), &byte, 1);
    _exit(0);
  }
  const int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return PosixError(error, "make a user namespace");
  const absl::Cleanup end = [&write_end, pid] {
    write_end.Reset();
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  };

  const std::string map = absl::StrCat("0 ", first_id, " ", count);
  VCD_RETURN_IF_ERROR(WriteMap(pid, "uid_map", map));
  VCD_RETURN_IF_ERROR(WriteMap(pid, "gid_map", map));
  UniqueFd made(open(absl::StrCat("/proc/", pid, "/ns/user").c_str(), O_RDONLY | O_CLOEXEC));
  if (!made.valid()) return PosixError(errno, "open the user namespace");
  return made;
}

}  // namespace vcd

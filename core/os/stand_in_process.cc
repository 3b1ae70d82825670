// SPDX-License-Identifier: Apache-2.0
#include "core/os/stand_in_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

namespace vcd {

absl::StatusOr<StandInProcess> StandInProcess::Start(const std::string& name, const std::vector<int>& namespace_fds) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return PosixError(errno, "pipe");
  const UniqueFd read_end(ends[0]);
  UniqueFd life(ends[1]);
  LaunchSpec launch;
  // Not by PR_SET_PDEATHSIG: that comes when the thread ends that made the child.
  launch.program = "/bin/cat";
  launch.argv = {name};
  launch.stdin_fd = read_end.get();
  launch.namespace_fds = namespace_fds;
  VCD_ASSIGN_OR_RETURN(LaunchedProcess process, LaunchProcess(launch));
  return StandInProcess(std::move(process), std::move(life));
}

StandInProcess::~StandInProcess() {
  if (!process_.pidfd.valid()) return;
  (void)SignalPidfd(process_.pidfd.get(), SIGKILL);
  siginfo_t info = {};
  while (waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(process_.pidfd.get()), &info, WEXITED) != 0 &&
         errno == EINTR) {
  }
}

}  // namespace vcd

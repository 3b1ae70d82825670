// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/shared_pid_namespace.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "guest/agent/capabilities.h"
#include "guest/agent/container_filesystem.h"
#include "guest/agent/file_io.h"
#include "guest/agent/mounts.h"

namespace vcd::guest {
namespace {

constexpr uid_t kNobody = 65534;

// The containers see this process, and /proc/1/root and its like: there is nothing behind them.
Outcome GiveUpEverything(const std::string& scratch) {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return SystemFailure("make the mounts private");
  }
  if (Outcome m = Mount({"tmpfs", scratch, "tmpfs", MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC, "mode=555"});
      !m.ok()) {
    return m;
  }
  if (Outcome done = PivotRoot(scratch); !done.ok()) return done;
  if (Outcome done = DropBoundingCapabilities({}); !done.ok()) return done;
  if (::syscall(SYS_setgroups, 0, nullptr) != 0 || ::setresgid(kNobody, kNobody, kNobody) != 0 ||
      ::setresuid(kNobody, kNobody, kNobody) != 0) {
    return SystemFailure("become nobody");
  }
  return Outcome();
}

[[noreturn]] void RunFirstProcess(const std::string& scratch) {
  ::prctl(PR_SET_NAME, "vcd-pause", 0, 0, 0);
  ::setsid();
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  // The containers' memory is to be taken first.
  (void)WriteFile("/proc/self/oom_score_adj", "-998");
  ::syscall(SYS_close_range, 0u, ~0u, 0);
  if (!GiveUpEverything(scratch).ok()) ::_exit(1);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  while (true) {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    sigset_t child;
    ::sigemptyset(&child);
    ::sigaddset(&child, SIGCHLD);
    ::sigwaitinfo(&child, nullptr);
  }
}

}  // namespace

OutcomeOr<int> SharedPidNamespace::Enter() {
  if (pidfd_.valid()) return pidfd_.get();
  if (Outcome made = MakeDirectories(scratch_); !made.ok()) return made;
  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = CLONE_PIDFD | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET;
  arguments.pidfd = reinterpret_cast<uintptr_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  const auto pid = static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof(arguments)));
  if (pid == 0) RunFirstProcess(scratch_);
  if (pid < 0) return SystemFailure("make the shared pid namespace");
  pid_ = pid;
  pidfd_.Reset(pidfd);
  return pidfd_.get();
}

bool SharedPidNamespace::OnReaped(pid_t pid) {
  if (pid != pid_) return false;
  pid_ = -1;
  pidfd_.Reset();
  return true;
}

void SharedPidNamespace::Kill() {
  if (pidfd_.valid()) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

}  // namespace vcd::guest

// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/launch.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "guest/agent/archive_command.h"
#include "guest/agent/launch_wire.h"
#include "guest/agent/launched_child.h"

extern "C" int setns(int fd, int nstype) noexcept;  // <sched.h> and <linux/sched.h> do not go together.

namespace vcd::guest {
namespace {

using ::vcd::agent::v1::Command;

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

OutcomeOr<Pipe> MakePipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return SystemFailure("make a pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// The agent's ends do not block; the two ends are apart in this, so the process sees ordinary pipes.
void MakeNonBlocking(const UniqueFd& fd) {
  if (fd.valid()) ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

bool HasNul(const std::string& text) { return text.find('\0') != std::string::npos; }

// New processes of this one are born in the pid namespace of the process behind `pidfd`; the destructor undoes it.
class PidNamespaceForChildren {
 public:
  explicit PidNamespaceForChildren(int pidfd) : own_(::open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC)) {
    if (own_.valid() && setns(pidfd, CLONE_NEWPID) == 0) joined_ = true;
  }
  ~PidNamespaceForChildren() {
    if (joined_) setns(own_.get(), CLONE_NEWPID);
  }
  bool joined() const { return joined_; }

 private:
  UniqueFd own_;
  bool joined_ = false;
};

// fork(2) with what only clone3 can do. 0 in the child.
pid_t Clone(const LaunchRequest& request, int* pidfd) {
  clone_args arguments{};
  arguments.flags = CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<uintptr_t>(pidfd);
  arguments.exit_signal = SIGCHLD;
  // The control group namespace comes later, in the child: one made here would begin at the agent's group.
  if (request.isolate && request.root) {
    arguments.flags |= CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;
    if (request.shared_pid_namespace < 0) arguments.flags |= CLONE_NEWPID;
  }
  if (request.cgroup_fd >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<uint64_t>(request.cgroup_fd);
  }
  return static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof(arguments)));
}

}  // namespace

Outcome CheckCommand(const Command& command) {
  if (command.has_dial()) return Invalid("a connection is in no container");
  if (command.has_archive()) return CheckArchiveCommand(command);
  if (command.args().empty() || command.args(0).empty()) return Invalid("the command has no program: args is empty");
  for (const std::string& argument : command.args()) {
    if (HasNul(argument)) return Invalid("an argument of the command has a zero byte in it");
  }
  for (const auto& env : command.envs()) {
    if (env.name().empty() || env.name().find('=') != std::string::npos || HasNul(env.name()) || HasNul(env.value())) {
      return Invalid("the environment variable \"" + env.name() + "\" has no valid name or value");
    }
  }
  if (HasNul(command.work_dir())) return Invalid("the working directory has a zero byte in it");
  if (!command.work_dir().empty() && command.work_dir()[0] != '/') {
    return Invalid("the working directory \"" + command.work_dir() + "\" is not absolute");
  }
  return Outcome();
}

OutcomeOr<LaunchedProcess> Launch(const LaunchRequest& request) {
  LaunchedProcess process;
  ChildDescriptors child;
  const auto give = [](UniqueFd* theirs, UniqueFd* ours, bool child_reads) -> Outcome {
    auto pipe = MakePipe();
    if (!pipe.ok()) return pipe.outcome();
    *theirs = std::move(child_reads ? pipe->read_end : pipe->write_end);
    *ours = std::move(child_reads ? pipe->write_end : pipe->read_end);
    MakeNonBlocking(*ours);
    return Outcome();
  };
  int status[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, status) != 0) return SystemFailure("make a socket pair");
  process.status.Reset(status[0]);
  child.status.Reset(status[1]);
  MakeNonBlocking(process.status);
  Outcome made = give(&child.go, &process.go, true);
  const bool terminal = request.command.terminal();
  if (made.ok() && !terminal && request.command.interactive()) {
    made = give(&child.stdin_pipe, &process.stdin_pipe, true);
  }
  if (made.ok() && !terminal && !request.command.discard_output()) {
    made = give(&child.stdout_pipe, &process.stdout_pipe, false);
    if (made.ok()) made = give(&child.stderr_pipe, &process.stderr_pipe, false);
  }
  if (!made.ok()) return made;

  std::optional<PidNamespaceForChildren> pid_namespace;
  const int pid_namespace_to_join = request.root ? request.shared_pid_namespace : request.join_pidfd;
  if (request.isolate && pid_namespace_to_join >= 0) {
    pid_namespace.emplace(pid_namespace_to_join);
    if (!pid_namespace->joined()) return SystemFailure("join the container's pid namespace");
  }
  int pidfd = -1;
  process.pid = Clone(request, &pidfd);
  if (process.pid == 0) RunLaunchedChild(request, std::move(child));
  if (process.pid < 0) return SystemFailure("make a process");
  process.pidfd.Reset(pidfd);
  process.interactive = request.command.interactive();
  return process;
}

bool LaunchStatus::ReadFrom(int status_fd) {
  while (!ended_) {
    char chunk[512];
    iovec bytes{chunk, sizeof(chunk)};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    const ssize_t got = ::recvmsg(status_fd, &message, MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return false;
    if (got <= 0) ended_ = true;
    if (got > 0) text_.append(chunk, static_cast<size_t>(got));
    const cmsghdr* const rights = got > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
    if (rights == nullptr || rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS) continue;
    int terminal = -1;
    std::memcpy(&terminal, CMSG_DATA(rights), sizeof(terminal));
    terminal_.Reset(terminal);
    MakeNonBlocking(terminal_);
  }
  return true;
}

LaunchStatus::Stage LaunchStatus::stage() const {
  const std::string_view text = text_;
  if (text.find(kLaunchFailed) == 0 || text.find(kLaunchFailed) == 1) {
    return ended_ ? Stage::kFailed : Stage::kSettingUp;  // The message may not be whole before the end.
  }
  if (text.empty()) return ended_ ? Stage::kFailed : Stage::kSettingUp;
  return ended_ ? Stage::kRunning : Stage::kHeld;
}

Outcome LaunchStatus::outcome() const {
  const size_t failed = text_.find(kLaunchFailed);
  if (failed == std::string::npos || failed + 1 >= text_.size()) {
    return Outcome(ErrorCode::ERROR_CODE_SYSTEM, "the process ended while it was being set up");
  }
  const int code = static_cast<unsigned char>(text_[failed + 1]);
  return Outcome(
      ::vcd::agent::v1::ErrorCode_IsValid(code) ? static_cast<ErrorCode>(code) : ErrorCode::ERROR_CODE_SYSTEM,
      text_.substr(failed + 2));
}

}  // namespace vcd::guest

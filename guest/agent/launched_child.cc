// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/launched_child.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "guest/agent/archive_command.h"
#include "guest/agent/capabilities.h"
#include "guest/agent/command_path.h"
#include "guest/agent/container_paths.h"
#include "guest/agent/file_io.h"
#include "guest/agent/launch_wire.h"
#include "guest/agent/mounts.h"
#include "guest/agent/program.h"
#include "guest/agent/restrictions.h"
#include "guest/agent/start_hooks.h"
#include "guest/agent/terminal.h"
#include "guest/agent/users.h"

namespace vcd::guest {
namespace {

using ::vcd::agent::v1::Command;

// Where descriptors stand in the child, so that all others can be closed in one go.
constexpr int kStatusFd = 3;
constexpr int kGoFd = 4;
constexpr int kJoinFd = 5;
constexpr int kFirstFreeFd = 6;

[[noreturn]] void Fail(const Outcome& outcome) {
  std::string message = {kLaunchFailed, static_cast<char>(outcome.code())};
  message += outcome.message().substr(0, 4000);  // What a pipe takes in one piece.
  (void)!::write(kStatusFd, message.data(), message.size());
  ::_exit(127);
}

void OrFail(const Outcome& outcome) {
  if (!outcome.ok()) Fail(outcome);
}

// Puts the child's descriptors in their places and closes everything else of the agent's: an end of another process's
// standard input that stayed open here would keep that process from ever seeing its end.
void PlaceDescriptors(int join_pidfd, ChildDescriptors* descriptors) {
  struct Place {
    int from, to;
    bool keep;  // Over execve.
  };
  Place places[] = {
      {descriptors->stdin_pipe.Release(), STDIN_FILENO, true},
      {descriptors->stdout_pipe.Release(), STDOUT_FILENO, true},
      {descriptors->stderr_pipe.Release(), STDERR_FILENO, true},
      {descriptors->status.Release(), kStatusFd, false},
      {descriptors->go.Release(), kGoFd, false},
      {join_pidfd, kJoinFd, false},
  };
  // First out of the way of all places, then each into its own.
  for (Place& place : places) {
    if (place.from >= 0) place.from = ::fcntl(place.from, F_DUPFD_CLOEXEC, kFirstFreeFd);
  }
  for (const Place& place : places) {
    if (place.from < 0) {
      ::close(place.to);
    } else if (::dup3(place.from, place.to, place.keep ? 0 : O_CLOEXEC) < 0) {
      ::_exit(127);
    }
  }
  ::syscall(SYS_close_range, kFirstFreeFd, ~0u, 0);
}

void ResetSignals() {
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Keeps containers from looking into this process, which they see as soon as it is in a namespace of theirs: until its
// program takes its place its memory is a copy of the agent's, with what that has of other containers. execve undoes
// it, a change of user does not.
void ShieldFromContainers() { ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

Outcome EnterNamespaces(const LaunchRequest& request) {
  if (request.root) {
    // May be missing where there is no unified hierarchy; then there is nothing to hide either.
    if (request.cgroup_fd >= 0 && ::unshare(CLONE_NEWCGROUP) != 0) return SystemFailure("make a cgroup namespace");
    if (!request.hostname.empty() && ::sethostname(request.hostname.data(), request.hostname.size()) != 0) {
      return SystemFailure("set the host name \"" + request.hostname + "\"");
    }
    return EnterContainerFilesystem(*request.root, request.settings, request.command.work_dir());
  }
  if (::setns(kJoinFd, CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP) != 0) {
    return SystemFailure("join the container's namespaces");
  }
  ::close(kJoinFd);
  return Outcome();
}

// The process's terminal: made in its container, its controlling one, and its three streams.
OutcomeOr<UniqueFd> TakeTerminal(const LaunchRequest& request) {
  OutcomeOr<Terminal> terminal = OpenTerminal(request.command.terminal_size());
  if (!terminal.ok()) return terminal.outcome();
  const int slave = terminal->slave.get();
  if (::ioctl(slave, TIOCSCTTY, 0) != 0) return SystemFailure("make the terminal the controlling one");
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::dup2(slave, fd) < 0) return SystemFailure("pass the terminal on");
  }
  if (request.isolate && request.root) {
    // For programs that go by the name. A new root has no such file yet.
    constexpr char kConsole[] = "/dev/console";
    if (!UniqueFd(::open(kConsole, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)).valid()) {
      return SystemFailure("make /dev/console");
    }
    const Outcome bound = BindMount("/dev/pts/" + std::to_string(terminal->number), kConsole);
    if (!bound.ok()) return bound;
  }
  return std::move(terminal->master);
}

// Tells the agent that the process holds, and gives it the terminal's master if there is one.
void ReportHeld(const UniqueFd& terminal) {
  iovec byte{const_cast<char*>(&kLaunchHeld), 1};
  msghdr message{};
  message.msg_iov = &byte;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (terminal.valid()) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* const rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    const int descriptor = terminal.get();
    std::memcpy(CMSG_DATA(rights), &descriptor, sizeof(descriptor));
  }
  if (::sendmsg(kStatusFd, &message, MSG_NOSIGNAL) != 1) ::_exit(127);
}

// /dev/null for what has no pipe. The others go to the user, who may want to open /dev/stdout by its name.
Outcome OpenStandardStreams(uid_t uid) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) {
      if (::fchown(fd, uid, static_cast<gid_t>(-1)) != 0 && errno != EPERM) return SystemFailure("give a pipe away");
      continue;
    }
    const int opened = ::open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY);
    if (opened < 0) return SystemFailure("open /dev/null");
    if (opened != fd) {  // Lower places are taken by now, so this is for certainty only.
      ::dup2(opened, fd);
      ::close(opened);
    }
  }
  return Outcome();
}

// By descriptor: a link in the container's files must not lead out of it.
Outcome EnterWorkDirectory(const std::string& work_dir) {
  OutcomeOr<UniqueFd> directory = MakeDirectoryInContainer(work_dir.empty() ? "/" : work_dir);
  if (!directory.ok()) return directory.outcome();
  return ::fchdir(directory->get()) == 0 ? Outcome() : SystemFailure("enter the working directory " + work_dir);
}

Outcome BecomeUser(const Identity& identity, const Restrictions& restrictions) {
  const CapabilitySets& capabilities = restrictions.capabilities;
  if (Outcome dropped = DropBoundingCapabilities(capabilities); !dropped.ok()) return dropped;
  ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
  if (::setgroups(identity.groups.size(), identity.groups.data()) != 0) return SystemFailure("set the groups");
  if (::setresgid(identity.gid, identity.gid, identity.gid) != 0) return SystemFailure("set the group");
  if (::setresuid(identity.uid, identity.uid, identity.uid) != 0) return SystemFailure("set the user");
  ::prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
  return ApplyCapabilities(capabilities,
                           restrictions.filter_needs_privilege() ? uint64_t{1} << CAP_SYS_ADMIN : uint64_t{0});
}

void WaitUntilToldToGo() {
  char byte = 0;
  ssize_t got = 0;
  do {
    got = ::read(kGoFd, &byte, 1);
  } while (got < 0 && errno == EINTR);
  if (got != 1) ::_exit(127);  // The agent does not want this process any more, or is gone.
}

OutcomeOr<Identity> FindIdentity(const Command& command) {
  UserRequest user{command.user(), command.primary_group(), {}};
  user.supplementary_groups.assign(command.supplementary_groups().begin(), command.supplementary_groups().end());
  return ResolveIdentity(user, ReadFileOrEmpty("/etc/passwd"), ReadFileOrEmpty("/etc/group"));
}

}  // namespace

void RunLaunchedChild(const LaunchRequest& request, ChildDescriptors descriptors) {
  PlaceDescriptors(request.join_pidfd, &descriptors);
  ResetSignals();
  ::setsid();
  const Command& command = request.command;
  const Restrictions& restrictions = request.restrictions;
  OrFail(ApplyOomScore(restrictions));
  ShieldFromContainers();
  if (request.isolate) OrFail(EnterNamespaces(request));

  OutcomeOr<Identity> identity = FindIdentity(command);
  OrFail(identity.outcome());
  UniqueFd terminal;
  if (command.terminal()) {
    OutcomeOr<UniqueFd> taken = TakeTerminal(request);
    OrFail(taken.outcome());
    terminal = std::move(*taken);
  }
  OrFail(OpenStandardStreams(identity->uid));
  ::umask(022);
  OrFail(EnterWorkDirectory(command.work_dir()));
  ::umask(restrictions.umask);
  OrFail(ApplyLimits(restrictions));
  if (request.isolate) OrFail(BecomeUser(*identity, restrictions));
  OrFail(ApplyNoNewPrivileges(restrictions));
  // An agent that is not the guest's init may be killed, and its containers with it. A change of user resets this.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);

  if (command.has_archive()) {
    // Without what a program would lose by execve.
    if (request.isolate) OrFail(ApplyCapabilities(restrictions.capabilities));
    if (::write(kStatusFd, &kLaunchHeld, 1) != 1) ::_exit(127);
    WaitUntilToldToGo();
    ::close(kStatusFd);  // As execve would: it runs.
    ::close(kGoFd);
    RunArchiveCommand(command.archive());
  }
  Environment environment = MakeEnvironment(command, identity->home);
  OutcomeOr<std::string> file = FindCommand(command.args(0), environment.path);
  OrFail(file.outcome());
  ProgramImage program(*file, command, std::move(environment.entries));
  ReportHeld(terminal);
  terminal.Reset();
  WaitUntilToldToGo();
  if (request.root) OrFail(RunStartHooks(request.settings, restrictions));
  OrFail(ApplySeccompFilter(restrictions));
  Fail(program.Execute());
}

}  // namespace vcd::guest

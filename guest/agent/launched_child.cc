// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/launched_child.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "guest/agent/capabilities.h"
#include "guest/agent/command_path.h"
#include "guest/agent/container_paths.h"
#include "guest/agent/file_io.h"
#include "guest/agent/launch_wire.h"
#include "guest/agent/program.h"
#include "guest/agent/restrictions.h"
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

Outcome EnterNamespaces(const LaunchRequest& request) {
  if (request.root) {
    // May be missing where there is no unified hierarchy; then there is nothing to hide either.
    if (request.cgroup_fd >= 0 && ::unshare(CLONE_NEWCGROUP) != 0) return SystemFailure("make a cgroup namespace");
    if (!request.hostname.empty() && ::sethostname(request.hostname.data(), request.hostname.size()) != 0) {
      return SystemFailure("set the host name \"" + request.hostname + "\"");
    }
    return EnterContainerFilesystem(*request.root, request.settings);
  }
  if (::setns(kJoinFd, CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP) != 0) {
    return SystemFailure("join the container's namespaces");
  }
  ::close(kJoinFd);
  return Outcome();
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
  if (request.isolate) OrFail(EnterNamespaces(request));

  OutcomeOr<Identity> identity = FindIdentity(command);
  OrFail(identity.outcome());
  OrFail(OpenStandardStreams(identity->uid));
  ::umask(022);
  OrFail(EnterWorkDirectory(command.work_dir()));
  ::umask(restrictions.umask);
  OrFail(ApplyLimits(restrictions));
  if (request.isolate) OrFail(BecomeUser(*identity, restrictions));
  OrFail(ApplyNoNewPrivileges(restrictions));
  // An agent that is not the guest's init may be killed, and its containers with it. A change of user resets this.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);

  Environment environment = MakeEnvironment(command, identity->home);
  OutcomeOr<std::string> file = FindCommand(command.args(0), environment.path);
  OrFail(file.outcome());
  ProgramImage program(*file, command, std::move(environment.entries));
  if (::write(kStatusFd, &kLaunchHeld, 1) != 1) ::_exit(127);
  WaitUntilToldToGo();
  OrFail(ApplySeccompFilter(restrictions));
  Fail(program.Execute());
}

}  // namespace vcd::guest

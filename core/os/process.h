// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_PROCESS_H_
#define VCD_CORE_OS_PROCESS_H_

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/os/unique_fd.h"

namespace vcd {

// A process that cannot be mistaken for a later one with the same pid (proc(5), /proc/<pid>/stat field 22).
struct ProcessIdentity {
  pid_t pid = 0;
  uint64_t start_time_ticks = 0;  // Clock ticks since boot.
  std::string boot_id;            // /proc/sys/kernel/random/boot_id.

  bool operator==(const ProcessIdentity& other) const {
    return pid == other.pid && start_time_ticks == other.start_time_ticks && boot_id == other.boot_id;
  }
};

// The boot id of this host.
absl::StatusOr<std::string> ReadBootId();

// Looks a running process up. kNotFound when there is none; a zombie counts as none.
absl::StatusOr<ProcessIdentity> IdentifyProcess(pid_t pid);

// A pidfd of exactly that process, checked after opening. kNotFound when it is gone or another has its pid.
absl::StatusOr<UniqueFd> OpenPidfd(const ProcessIdentity& identity);

// Sends a signal through a pidfd. OK when the process has ended already.
absl::Status SignalPidfd(int pidfd, int signal);

// Running processes whose command line holds `marker` as a part of any argument. How recovery finds what no record
// tells.
std::vector<ProcessIdentity> FindProcesses(const std::string& marker);

// How to start a process.
struct LaunchSpec {
  std::vector<std::string> argv;  // argv[0] is an absolute path, unless `program` is.
  std::vector<std::string> env;   // `KEY=value`; the whole environment.
  std::string program;            // Absolute path of what runs; empty: argv[0].
  // Descriptors the child gets, and the numbers it sees them under (≥ 3, distinct). Not consumed.
  std::vector<std::pair<int, int>> descriptors;
  // Its standard streams; -1: /dev/null. Not consumed.
  int stdin_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;

  // What follows is done in this order, before the program runs.
  // Open `cgroup.procs` or `tasks` files of control groups that it joins (cgroups(7)). Not consumed.
  std::vector<int> cgroup_fds;
  // Namespaces that it enters (setns(2)), in order, and flags of those it makes for itself (unshare(2)). Not consumed.
  std::vector<int> namespace_fds;
  int unshare_flags = 0;
  // Mounts that are nowhere yet (fsmount(2), open_tree(2)), and the directories it sees them at: in a mount namespace
  // of its own (CLONE_NEWNS above), out of which nothing gets. Not consumed.
  std::vector<std::pair<int, std::string>> mounts;
  // Its limits (setrlimit(2)): the resource, and what it is for soft and hard.
  std::vector<std::pair<int, rlim_t>> limits;
  // User and group that it becomes, with these supplementary groups alone; absent leaves all. Capabilities go with
  // root.
  std::optional<uid_t> user_id;
  std::vector<gid_t> groups;
  // Neither it nor what it starts ever gets more privileges (PR_SET_NO_NEW_PRIVS).
  bool no_new_privileges = false;
};

// A process that was started: a child of this one.
struct LaunchedProcess {
  ProcessIdentity identity;
  UniqueFd pidfd;
};

// Starts a process in a session and process group of its own, with the descriptors named and no other, default signal
// dispositions and an empty signal mask. It outlives this process. An error of execve(2) comes back as one of this
// call.
absl::StatusOr<LaunchedProcess> LaunchProcess(const LaunchSpec& spec);

}  // namespace vcd

#endif  // VCD_CORE_OS_PROCESS_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_LAUNCH_H_
#define VCD_GUEST_AGENT_LAUNCH_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>

#include "core/os/unique_fd.h"
#include "guest/agent/container_filesystem.h"
#include "guest/agent/outcome.h"
#include "guest/agent/restrictions.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd::guest {

struct LaunchRequest {
  // What to run. Must have passed CheckCommand.
  const ::vcd::agent::v1::Command& command;
  // What it may do and use.
  const Restrictions& restrictions;
  // What the container's file system has beside its root.
  const ::vcd::agent::v1::LinuxSettings& settings;
  // Set for a container's first process, which gets namespaces of its own and this root.
  std::optional<RootPlan> root = std::nullopt;
  std::string hostname = {};
  // For a first process: process 1 of the pid namespace that it joins; -1 gives it one of its own.
  int shared_pid_namespace = -1;
  // Otherwise the first process of the container whose namespaces to join.
  int join_pidfd = -1;
  // The container's control group; -1 for none.
  int cgroup_fd = -1;
  // False in an agent without privileges: no namespaces, no change of root or user.
  bool isolate = true;
};

// A process that was made and is being set up.
struct LaunchedProcess {
  pid_t pid = -1;  // In the agent's pid namespace.
  UniqueFd pidfd;
  // What the process says of itself: LaunchStatus takes it. Ends when the program runs, or the process is gone.
  UniqueFd status;
  // One byte written here lets the program run; closing it ends the process.
  UniqueFd go;
  // Ends of pipes, not blocking. Not valid where the command asks for /dev/null, or for a terminal: LaunchStatus gets
  // that from the process, which opens it in its container.
  UniqueFd stdin_pipe;
  UniqueFd stdout_pipe;
  UniqueFd stderr_pipe;
  bool interactive = false;  // Takes input.
};

// What can be said of a command without a container: ERROR_CODE_INVALID, or nothing.
Outcome CheckCommand(const ::vcd::agent::v1::Command& command);

// Makes the process. It sets itself up on its own, for file systems may be slow, looks its program up and reports
// through `status`; it holds before the program until told to go. The caller reaps it.
OutcomeOr<LaunchedProcess> Launch(const LaunchRequest& request);

// Reads what a launched process says of itself.
class LaunchStatus {
 public:
  enum class Stage {
    kSettingUp,  // Nothing yet.
    kHeld,       // All is set up, the program was found; waits for `go`.
    kRunning,    // The program runs.
    kFailed,     // outcome() says why. The process is ending.
  };

  // Reads what there is. True when the other side has ended and no more comes.
  bool ReadFrom(int status_fd);

  Stage stage() const;
  Outcome outcome() const;

  // The master of the process's terminal, once it is held; not valid when it has none, or it was taken.
  UniqueFd TakeTerminal() { return std::move(terminal_); }

 private:
  std::string text_;
  UniqueFd terminal_;
  bool ended_ = false;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_LAUNCH_H_

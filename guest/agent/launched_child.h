// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_LAUNCHED_CHILD_H_
#define VCD_GUEST_AGENT_LAUNCHED_CHILD_H_

#include "core/os/unique_fd.h"
#include "guest/agent/launch.h"

namespace vcd::guest {

// The new process's ends of the pipes of LaunchedProcess; not valid ones stand for /dev/null.
struct ChildDescriptors {
  UniqueFd status;
  UniqueFd go;
  UniqueFd stdin_pipe;
  UniqueFd stdout_pipe;
  UniqueFd stderr_pipe;
};

// What a process does between its birth and its program. Runs in the child of a single-threaded agent, so it may
// allocate. Never returns.
[[noreturn]] void RunLaunchedChild(const LaunchRequest& request, ChildDescriptors descriptors);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_LAUNCHED_CHILD_H_

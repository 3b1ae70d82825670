// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_SHARED_PID_NAMESPACE_H_
#define VCD_GUEST_AGENT_SHARED_PID_NAMESPACE_H_

#include <sys/types.h>

#include <string>

#include "core/os/unique_fd.h"
#include "guest/agent/outcome.h"

namespace vcd::guest {

// The pid namespace that containers share. Its process 1 is one of the agent's own: it collects what is orphaned and
// does nothing else, without privileges, in an empty root of its own. It is not allowed to end; should it be killed all
// the same, the kernel ends every process of the namespace, and the next container makes it anew.
class SharedPidNamespace {
 public:
  // `scratch` is an empty directory; it is mounted on in the new process's mount namespace only.
  explicit SharedPidNamespace(std::string scratch) : scratch_(std::move(scratch)) {}

  // A pidfd of its process 1, which is made if there is none.
  OutcomeOr<int> Enter();

  // True if it was the reaped process.
  bool OnReaped(pid_t pid);

  // Ends the namespace and all that is in it.
  void Kill();

 private:
  const std::string scratch_;
  pid_t pid_ = -1;
  UniqueFd pidfd_;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_SHARED_PID_NAMESPACE_H_

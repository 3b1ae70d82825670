// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_RESTRICTIONS_H_
#define VCD_GUEST_AGENT_RESTRICTIONS_H_

#include <sys/resource.h>
#include <sys/types.h>

#include <map>
#include <optional>
#include <string>

#include "guest/agent/capabilities.h"
#include "guest/agent/outcome.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd::guest {

// What a process may do and use, beside its user and its file system. A container keeps those of its first process, and
// every process that is run in it later has them too, or less.
struct Restrictions {
  CapabilitySets capabilities;
  bool no_new_privileges = false;
  std::string seccomp_filter;     // struct sock_filter, one after the other; empty is none.
  std::map<int, rlimit> rlimits;  // By RLIMIT_…; the others stay as they are in the agent.
  std::optional<int> oom_score_adj;
  mode_t umask = 022;

  // Whether the filter can be installed only by a privileged process: without no_new_privs it takes CAP_SYS_ADMIN.
  bool filter_needs_privilege() const { return !seccomp_filter.empty() && !no_new_privileges; }
};

// Of a container's first process. ERROR_CODE_INVALID for names that are unknown and a filter that is none.
OutcomeOr<Restrictions> ContainerRestrictions(const ::vcd::agent::v1::Command& command,
                                              const std::string& seccomp_filter);

// Of another process in a container that has `container`: what `command` does not name is the container's.
// ERROR_CODE_INVALID for what is more than the container has: a capability beyond its bounding set, a higher hard
// limit, a lower oom_score_adj.
OutcomeOr<Restrictions> ExecRestrictions(const Restrictions& container, const ::vcd::agent::v1::Command& command);

// Each does its part to the calling process. The agent's own /proc must be there for the first.
Outcome ApplyOomScore(const Restrictions& restrictions);
Outcome ApplyLimits(const Restrictions& restrictions);
Outcome ApplyNoNewPrivileges(const Restrictions& restrictions);

// The last thing before execve(2): the filter is not made for what the agent still has to do.
Outcome ApplySeccompFilter(const Restrictions& restrictions);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_RESTRICTIONS_H_

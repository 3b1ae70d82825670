// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_START_HOOKS_H_
#define VCD_GUEST_AGENT_START_HOOKS_H_

#include "guest/agent/outcome.h"
#include "guest/agent/restrictions.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd::guest {

// Runs the start hooks of a container, one after the other, as children of the calling process: its first one, which is
// in its namespaces, has its user and is about to become its program. Each gets that process's number in the state that
// it reads, the container's seccomp filter, and none of its streams. ERROR_CODE_HOOK_FAILED, with the last that it
// said, for the first that cannot be run, does not end with status 0, or not in time: then its process group is killed.
Outcome RunStartHooks(const ::vcd::agent::v1::LinuxSettings& settings, const Restrictions& restrictions);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_START_HOOKS_H_

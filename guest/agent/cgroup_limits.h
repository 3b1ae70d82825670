// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_CGROUP_LIMITS_H_
#define VCD_GUEST_AGENT_CGROUP_LIMITS_H_

#include <string>

#include "guest/agent/outcome.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd::guest {

// Writes the files of `resources` in the control group `directory`, in their order. When one cannot be written, those
// before it get their old values back, and the outcome names the file and, where the kernel lacks it, its controller.
// Files of the group's own organisation (`cgroup.…`) and paths are ERROR_CODE_INVALID.
Outcome ApplyLimits(const std::string& directory, const ::vcd::agent::v1::Resources& resources);

// What to write to `name` so that it says again what it said in `old`, before `written` was written to it. Most files
// take back what they gave; those that are lists of devices take one line, the device's.
std::string ValueToRestore(const std::string& name, const std::string& old, const std::string& written);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_CGROUP_LIMITS_H_

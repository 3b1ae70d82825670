// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_DEVICE_RULES_H_
#define VCD_GUEST_AGENT_DEVICE_RULES_H_

#include "core/os/unique_fd.h"
#include "guest/agent/cgroup.h"
#include "guest/agent/outcome.h"
#include "proto/vcd/agent/v1/agent.pb.h"

// Which devices the processes of a container may open, whatever nodes they find or make: a BPF program of its control
// group, as control groups of version 2 want it (Documentation/admin-guide/cgroup-v2.rst, "Device controller").
namespace vcd::guest {

// Those that every program may count on, terminals, and those that were asked for. To make a node is to open nothing,
// and is left to CAP_MKNOD. The program is the kernel's from here on and runs for nobody yet. Fails where the kernel
// has no CONFIG_CGROUP_BPF.
OutcomeOr<UniqueFd> LoadDeviceRules(const ::vcd::agent::v1::LinuxSettings& settings);

// Makes them the rules of all processes in `cgroup`, for as long as it is there. What is open stays open.
Outcome ApplyDeviceRules(const UniqueFd& rules, const Cgroup& cgroup);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_DEVICE_RULES_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_AGENT_NATIVE_AGENT_USAGE_H_
#define VCD_BACKENDS_AGENT_NATIVE_AGENT_USAGE_H_

#include <vector>

#include "absl/status/status.h"
#include "core/agent/agent.h"
#include "proto/vcd/agent/v1/agent.pb.h"

// Limits in the words of the agent protocol, and what a guest says of what it uses, out of them. Pure functions; a
// guest may say anything, so text is cleaned and numbers are taken for what they are: its own.
namespace vcd {

// See CgroupFiles.
agent::v1::Resources ToAgentResources(const v1::ContainerResources& change, const v1::ContainerResources& all);

std::vector<v1::ProcessInfo> FromAgentProcessList(const agent::v1::ProcessList& list);

GuestUsage FromAgentStats(const agent::v1::Stats& stats);

// kInvalidArgument when nothing happens like that.
absl::Status CheckAgentEvent(const agent::v1::GuestEvent& event);

}  // namespace vcd

#endif  // VCD_BACKENDS_AGENT_NATIVE_AGENT_USAGE_H_

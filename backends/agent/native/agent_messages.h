// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_AGENT_NATIVE_AGENT_MESSAGES_H_
#define VCD_BACKENDS_AGENT_NATIVE_AGENT_MESSAGES_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/agent/agent.h"
#include "proto/vcd/agent/v1/agent.pb.h"

// What core says of containers in the words of the agent protocol, and back. Pure functions.
namespace vcd {

// kUnimplemented (NOT_IMPLEMENTED) naming the field for what the protocol cannot say: nothing is dropped in silence.
absl::StatusOr<agent::v1::CreateContainer> ToAgentContainer(const GuestContainerSpec& spec);

agent::v1::Command ToAgentCommand(const v1::Cmd& cmd);

agent::v1::TerminalSize ToAgentTerminalSize(const v1::TerminalSize& size);

// OK, or the guest's refusal of `step`.
absl::Status ReplyStatus(const agent::v1::Reply& reply, const ProcessKey& process, absl::string_view step);

// A process of the guest's table, checked. kInvalidArgument when it makes no sense.
absl::StatusOr<GuestProcess> FromAgentProcess(const agent::v1::Process& process);

// kInvalidArgument when no process ends like that.
absl::StatusOr<v1::ExitStatus> FromAgentExit(const agent::v1::ExitInfo& exit);

}  // namespace vcd

#endif  // VCD_BACKENDS_AGENT_NATIVE_AGENT_MESSAGES_H_

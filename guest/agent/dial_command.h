// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_DIAL_COMMAND_H_
#define VCD_GUEST_AGENT_DIAL_COMMAND_H_

#include "core/os/unique_fd.h"
#include "guest/agent/outcome.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd::guest {

// What can be said of a command that connects to a port: ERROR_CODE_INVALID, or nothing.
Outcome CheckDialCommand(const ::vcd::agent::v1::Command& command);

// Connects. ERROR_CODE_CONNECTION_REFUSED, ERROR_CODE_UNREACHABLE. Blocks, for ten seconds at most.
OutcomeOr<UniqueFd> Connect(const ::vcd::agent::v1::Command::Dial& dial);

// Moves bytes between `connection` and the standard streams, both ways at once and each to its own end, with as much
// memory for a gigabyte as for a byte; then ends the process, as core/link/link_limits.h says.
[[noreturn]] void RunConnection(const UniqueFd& connection);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_DIAL_COMMAND_H_

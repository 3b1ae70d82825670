// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_ARCHIVE_COMMAND_H_
#define VCD_GUEST_AGENT_ARCHIVE_COMMAND_H_

#include "guest/agent/outcome.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd::guest {

// What can be said of a command that packs or unpacks, without a container: ERROR_CODE_INVALID, or nothing.
Outcome CheckArchiveCommand(const ::vcd::agent::v1::Command& command);

// Packs to standard output or unpacks standard input, and ends the process as Command.Archive says.
[[noreturn]] void RunArchiveCommand(const ::vcd::agent::v1::Command::Archive& archive);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_ARCHIVE_COMMAND_H_

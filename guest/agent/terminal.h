// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_TERMINAL_H_
#define VCD_GUEST_AGENT_TERMINAL_H_

#include <string>

#include "core/os/unique_fd.h"
#include "guest/agent/outcome.h"
#include "proto/vcd/agent/v1/agent.pb.h"

// Pseudo-terminals of processes: the master is the agent's, the slave is the process's.
namespace vcd::guest {

struct Terminal {
  UniqueFd master;
  UniqueFd slave;
  unsigned number = 0;  // Of the slave: /dev/pts/N.
};

// Makes a terminal in the devpts of the caller's mount namespace. Both descriptors are closed by execve, and above the
// three standard ones.
OutcomeOr<Terminal> OpenTerminal(const ::vcd::agent::v1::TerminalSize& size);

// Tells a terminal its size, and so the process in its foreground. What is 0 becomes the size of a common terminal.
Outcome SetTerminalSize(int terminal, const ::vcd::agent::v1::TerminalSize& size);

// What to write to a terminal's master so that its reader sees the end of its input, after input that ended with
// `last`: the terminal's own character for it, and once more when that only ends a line that was begun.
std::string EndOfTerminalInput(int master, char last);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_TERMINAL_H_

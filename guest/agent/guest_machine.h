// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_GUEST_MACHINE_H_
#define VCD_GUEST_AGENT_GUEST_MACHINE_H_

#include <cstdint>
#include <string>

#include "core/os/unique_fd.h"
#include "guest/agent/outcome.h"
#include "proto/vcd/agent/v1/agent.pb.h"

// What the agent does to the machine whose process 1 it is.
namespace vcd::guest {

// Mounts the kernel's file systems and gives the process a console, a root that containers can pivot away from, limits
// and a loopback interface. Call first.
Outcome SetUpMachine();

// Opens the virtio-serial port named `name`. Not valid while there is none: the kernel tells when devices change.
UniqueFd OpenPort(const std::string& name);

// Sets clock, host name and entropy as HELLO says. What is missing in it stays as it is; what the kernel refuses is
// said on the console, for the machine works without.
void GreetMachine(const ::vcd::agent::v1::Hello& hello);

// Sets the clock, unless it is right but for what a message takes to get here.
void SetClock(uint64_t unix_time_ns);

// Ends the machine. Does not return.
[[noreturn]] void PowerOff();

// Writes a line to standard error, the console.
void Log(const std::string& line);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_GUEST_MACHINE_H_

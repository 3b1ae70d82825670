// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_CONTAINER_FIGURES_H_
#define VCD_GUEST_AGENT_CONTAINER_FIGURES_H_

#include <cstdint>
#include <string>

#include "proto/vcd/agent/v1/agent.pb.h"

// What the kernel counts, by names made of the file's and the kernel's own. What it does not tell is left out.
namespace vcd::guest {

// `cpu.usage_usec`, `memory.current`, `memory.anon`, `memory.oom_kill`, `pids.current`, `io.rbytes` … of the control
// group `directory`. A limit that is `max` is left out. I/O is the sum over all devices.
void ReadContainerFigures(const std::string& directory, ::vcd::agent::v1::Stats::Container* container);

// `MemTotal` and `MemAvailable` in bytes, `uptime_usec`, load and memory pressure, out of /proc, which `proc` is.
void ReadGuestFigures(const std::string& proc, ::vcd::agent::v1::Stats* stats);

// The number after `key` at the beginning of a line of `text`; 0 when there is none.
uint64_t FigureOf(const std::string& text, const std::string& key);

// Of /proc/pressure/memory: the share of the last ten seconds in which some process waited, percent.
double SomePressure(const std::string& text);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_CONTAINER_FIGURES_H_

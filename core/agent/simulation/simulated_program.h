// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_AGENT_SIMULATION_SIMULATED_PROGRAM_H_
#define VCD_CORE_AGENT_SIMULATION_SIMULATED_PROGRAM_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "core/agent/guest_error.h"
#include "proto/vcd/v1/process.pb.h"

namespace vcd {

// What a simulated process does, step by step.
struct SimulatedStep {
  enum class Kind {
    kPrint,  // Writes `text`.
    kError,  // The same to stderr.
    kCount,  // Writes `text` with the number of the round, and a line end.
    kFlood,  // Writes `number` bytes, each its offset modulo 251.
    kCopy,   // Writes its input until that ends.
    kSizes,  // Writes its terminal's size at once and when that changes, as a line ROWS COLUMNS, until its input ends.
    kSleep,  // Does nothing for `duration`; for ever when that is infinite.
    kExit,   // Ends with `number`.
    kHog,    // Takes memory until the guest ends it.
    kAgain,  // Begins anew.
  };
  Kind kind;
  std::string text;
  uint64_t number = 0;
  absl::Duration duration = absl::ZeroDuration();
};

// The end of the list is an exit with 0.
struct SimulatedProgram {
  std::vector<SimulatedStep> steps;
  bool stubborn = false;  // Only SIGKILL ends it.
};

// Why a guest refuses, in its own words.
struct SimulatedRefusal {
  GuestError error;
  std::string words;
};

// The program of a command is the base name of args[0]; SECONDS may have a fraction:
//   cat                        writes what it reads, ends with 0 when its input ends
//   print OUT ERR              writes its arguments to the two streams, as they are
//   echo WORD…                 writes a line
//   env                        writes a line NAME=VALUE for each variable
//   flood N                    writes N bytes, each its offset modulo 251
//   tick [SECONDS [COUNT]]     writes `tick 1`, `tick 2`, … as lines, every second unless told otherwise; at least 10
//   size                       writes its terminal's size as a line ROWS COLUMNS, at once and when it changes, until
//   its
//                              input ends
//   sleep [SECONDS]            does nothing, for ever unless told otherwise
//   exit CODE, true, false     ends
//   hog                        is ended for want of memory
//   stubborn [SECONDS]         as sleep; only SIGKILL ends it
//   script STEP…               `print TEXT` and `error TEXT` (a line each), `flood N`, `sleep SECONDS`, `copy`, `hog`,
//                              `exit CODE`, `again`
//   missing, locked            cannot be run: COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE
//   any other                  runs until a signal ends it
// The user `nobody-such` is unknown; all others are known.
std::variant<SimulatedProgram, SimulatedRefusal> ParseSimulatedProgram(const v1::Cmd& cmd);

}  // namespace vcd

#endif  // VCD_CORE_AGENT_SIMULATION_SIMULATED_PROGRAM_H_

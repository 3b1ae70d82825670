// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_PROGRAM_RUN_H_
#define VCD_CORE_OS_PROGRAM_RUN_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "core/os/cancellation.h"
#include "core/os/process.h"

namespace vcd {

// A program to run to its end.
struct ProgramRun {
  LaunchSpec launch;  // Its standard streams are set by RunProgram.
  // All that it can read from its standard input.
  std::string input;
  // What is kept of its output; it may write more, which is dropped: what comes last, unless `keep_end`.
  size_t max_output_bytes = 1 << 20;
  size_t max_errors_bytes = 16 << 10;
  // What it writes to standard error goes where its output goes, in the order in which it comes.
  bool join_errors = false;
  // Of output that is cut the end is kept.
  bool keep_end = false;
};

// How it ended, and what it wrote.
struct ProgramEnd {
  bool exited = false;  // Otherwise a signal killed it.
  int status = 0;       // Exit status, or number of the signal.
  std::string output;
  bool output_cut = false;  // There was more than is kept.
  std::string errors;

  bool success() const { return exited && status == 0; }
  // For people: "exited with status 1", "killed by signal 9 (Killed)".
  std::string Description() const;
};

// Runs a program and waits for its end. What it has started and left running, if anything, is neither waited for nor
// ended, also when it holds on to the output. When the context ends before the program does, the program's whole
// process group is killed: kDeadlineExceeded, or the cancellation's status, with the last that it said. An error of
// execve(2) is one of this call. Blocks.
absl::StatusOr<ProgramEnd> RunProgram(const ProgramRun& run, const CallContext& context);

}  // namespace vcd

#endif  // VCD_CORE_OS_PROGRAM_RUN_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_E2E_PROGRAM_H_
#define VCD_TEST_E2E_PROGRAM_H_

#include <sys/types.h>

#include <ostream>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/os/unique_fd.h"

namespace vcd {

// The sanitizers' options of this process, as NAME=VALUE: a program under test is built like the test.
std::vector<std::string> SanitizerOptions();

// How a program ended and what it printed.
struct ProgramResult {
  int exit_code = -1;  // Minus the signal when one ended it.
  std::string out;
  std::string err;
};

// For gtest's messages.
std::ostream& operator<<(std::ostream& stream, const ProgramResult& result);

// Longer than anything takes on a loaded machine without hardware virtualisation: a test that waits this long has
// failed.
inline constexpr absl::Duration kProgramTimeout = absl::Seconds(120);

// A child process with pipes for its standard streams. Failures of the test's own making (no such program, an answer
// that never comes) are reported through gtest. One thread.
class Program {
 public:
  // `argv[0]` is a path; `env` is the whole environment, but for the options of the sanitizers, which are passed on.
  Program(std::vector<std::string> argv, std::vector<std::string> env);
  // Kills it if it still runs, and reaps it.
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int signal);

  // Reads standard output until it holds `text`; false when it ends, or the time is over, without it.
  bool WaitForOutput(const std::string& text, absl::Duration timeout = kProgramTimeout);
  const std::string& out() const { return result_.out; }

  // Writes `input`, ends standard input, and reads until it has ended.
  ProgramResult Finish(const std::string& input = "", absl::Duration timeout = kProgramTimeout);

 private:
  // Moves bytes until `text` is on standard output, or all streams are closed when it is empty. False at the deadline.
  bool Pump(const std::string& text, absl::Time deadline);
  bool PollOnce(absl::Time deadline);
  void WriteInput();
  void Reap(absl::Time deadline);

  std::string name_;
  pid_t pid_ = -1;
  bool reaped_ = false;
  UniqueFd pidfd_;
  UniqueFd in_;
  UniqueFd out_;
  UniqueFd err_;
  std::string input_;
  bool finishing_ = false;
  ProgramResult result_;
};

// Runs a program to its end.
ProgramResult RunProgram(std::vector<std::string> argv,
                         std::vector<std::string> env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"});

}  // namespace vcd

#endif  // VCD_TEST_E2E_PROGRAM_H_

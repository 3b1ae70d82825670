// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_TESTING_PTY_PROGRAM_H_
#define VCD_CLIENT_TESTING_PTY_PROGRAM_H_

#include <sys/types.h>
#include <termios.h>

#include <string>
#include <vector>

#include "client/posix/unique_fd.h"

namespace vcd::client {

// A program with a pseudo-terminal of its own, as a person has one who types. Every wait ends after two minutes, and
// says what is on the screen. One thread.
class PtyProgram {
 public:
  struct Options {
    std::vector<std::string> words;      // The first is the program's path.
    std::vector<std::string> variables;  // `NAME=VALUE`, over the test's own environment.
    std::vector<int> ignored_signals;    // As by nohup(1).
    unsigned short columns = 80;
    unsigned short rows = 24;
  };

  explicit PtyProgram(const Options& options);
  // Ends the program.
  ~PtyProgram();
  PtyProgram(const PtyProgram&) = delete;
  PtyProgram& operator=(const PtyProgram&) = delete;

  void Type(const std::string& keys);
  void Resize(unsigned short columns, unsigned short rows);
  void Signal(int signal);
  // The person is gone, as who closes a window: the end of the terminal, for whoever has it. Nothing is read any more.
  void HangUp() { master_.Reset(); }

  // All that was printed, escape sequences included, less what Forget threw away.
  const std::string& screen() const { return screen_; }
  void Forget() { screen_.clear(); }
  // Until `text` is on the screen; false when it does not come, or the program ends before.
  bool WaitForText(const std::string& text);
  // Until keys go to the program as they are typed, or again by the line.
  bool WaitUntilRaw(bool raw);
  // The terminal is as it was before the program ran.
  bool SettingsAreAsBefore() const;
  // Reads to the end; the exit code, or 128 + the signal that ended it.
  int Wait();

 private:
  // Reads what there is, waiting a moment. False at the end.
  bool ReadSome();

  UniqueFd master_;
  UniqueFd slave_;  // Kept, so that the settings can be looked at when the program is gone.
  termios before_{};
  pid_t pid_ = -1;
  std::string screen_;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_TESTING_PTY_PROGRAM_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_POSIX_TERMINAL_H_
#define VCD_CLIENT_POSIX_TERMINAL_H_

#include <termios.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"

namespace vcd::client {

struct TerminalExtent {
  uint32_t columns = 0;
  uint32_t rows = 0;
};

// Nothing for what is no terminal, or does not know its size.
std::optional<TerminalExtent> ExtentOfTerminal(int fd);

// A terminal whose keys all go to the process: nothing is echoed, no line is waited for, Ctrl-C is a byte. As it was
// before once this is destroyed, and when a fatal signal ends the program. One at a time.
class RawTerminal {
 public:
  // `fd` stays open.
  static absl::StatusOr<std::unique_ptr<RawTerminal>> Enter(int fd);
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  RawTerminal(int fd, const termios& before) : fd_(fd), before_(before) {}

  const int fd_;
  const termios before_;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_POSIX_TERMINAL_H_

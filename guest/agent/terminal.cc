// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace vcd::guest {
namespace {

constexpr unsigned kDefaultColumns = 80;
constexpr unsigned kDefaultRows = 24;
constexpr char kUsualEndOfInput = 4;  // Ctrl-D.

uint16_t Extent(uint32_t wanted, unsigned otherwise) {
  return static_cast<uint16_t>(wanted == 0 ? otherwise : std::min<uint32_t>(wanted, UINT16_MAX));
}

// Standard descriptors may be closed in the caller, so that the kernel would hand their numbers out.
Outcome MoveUp(UniqueFd* fd) {
  const int moved = ::fcntl(fd->get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (moved < 0) return SystemFailure("make a terminal");
  fd->Reset(moved);
  return Outcome();
}

}  // namespace

OutcomeOr<Terminal> OpenTerminal(const ::vcd::agent::v1::TerminalSize& size) {
  Terminal terminal;
  terminal.master.Reset(::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal.master.valid()) return SystemFailure("open /dev/ptmx");
  if (Outcome moved = MoveUp(&terminal.master); !moved.ok()) return moved;
  // Only a terminal has a number: what else a container may have put there is refused here.
  if (::ioctl(terminal.master.get(), TIOCGPTN, &terminal.number) != 0) return SystemFailure("make a terminal");
  int locked = 0;
  if (::ioctl(terminal.master.get(), TIOCSPTLCK, &locked) != 0) return SystemFailure("unlock the terminal");
  // By the master, and not by a path, which the container may have mounted over.
  terminal.slave.Reset(::ioctl(terminal.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal.slave.valid()) return SystemFailure("open the terminal");
  if (Outcome moved = MoveUp(&terminal.slave); !moved.ok()) return moved;
  if (Outcome sized = SetTerminalSize(terminal.master.get(), size); !sized.ok()) return sized;
  return terminal;
}

Outcome SetTerminalSize(int terminal, const ::vcd::agent::v1::TerminalSize& size) {
  winsize window{};
  window.ws_col = Extent(size.columns(), kDefaultColumns);
  window.ws_row = Extent(size.rows(), kDefaultRows);
  return ::ioctl(terminal, TIOCSWINSZ, &window) == 0 ? Outcome() : SystemFailure("set the terminal's size");
}

std::string EndOfTerminalInput(int master, char last) {
  termios settings{};
  char end = kUsualEndOfInput;
  bool lines = true;
  if (::tcgetattr(master, &settings) == 0) {
    if (settings.c_cc[VEOF] != _POSIX_VDISABLE) end = static_cast<char>(settings.c_cc[VEOF]);
    lines = (settings.c_lflag & ICANON) != 0;
  }
  const bool line_begun = lines && last != '\n' && last != '\r' && last != end;
  return std::string(line_begun ? 2 : 1, end);
}

}  // namespace vcd::guest

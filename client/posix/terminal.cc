// SPDX-License-Identifier: Apache-2.0
#include "client/posix/terminal.h"

#include <signal.h>
#include <sys/ioctl.h>

#include <atomic>
#include <cerrno>

namespace vcd::client {
namespace {

// What a crash leaves time for. The settings are written before the descriptor is.
std::atomic<int> raw_fd{-1};
termios settings_before;

void RestoreAndDie(int signal) {
  const int fd = raw_fd.load();
  if (fd >= 0) ::tcsetattr(fd, TCSANOW, &settings_before);  // One of the few calls that are allowed here.
  // SA_RESETHAND has put the default in place, which ends the program when this returns.
  ::raise(signal);
}

void RestoreOnCrash() {
  struct sigaction action {};
  action.sa_handler = &RestoreAndDie;
  action.sa_flags = SA_RESETHAND;
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
    struct sigaction now;
    // Whoever else wants to hear of it, such as a sanitizer, comes first.
    if (::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_DFL) ::sigaction(signal, &action, nullptr);
  }
}

}  // namespace

std::optional<TerminalExtent> ExtentOfTerminal(int fd) {
  winsize window{};
  if (::ioctl(fd, TIOCGWINSZ, &window) != 0 || window.ws_col == 0 || window.ws_row == 0) return std::nullopt;
  return TerminalExtent{window.ws_col, window.ws_row};
}

absl::StatusOr<std::unique_ptr<RawTerminal>> RawTerminal::Enter(int fd) {
  termios before{};
  if (::tcgetattr(fd, &before) != 0) return absl::ErrnoToStatus(errno, "read the terminal's settings");
  settings_before = before;
  raw_fd.store(fd);
  RestoreOnCrash();
  std::unique_ptr<RawTerminal> terminal(new RawTerminal(fd, before));
  termios raw = before;
  ::cfmakeraw(&raw);
  if (::tcsetattr(fd, TCSANOW, &raw) != 0) return absl::ErrnoToStatus(errno, "make the terminal raw");
  return terminal;
}

RawTerminal::~RawTerminal() {
  // Without waiting for output to drain: a terminal that is held up must not hold up the way out.
  ::tcsetattr(fd_, TCSANOW, &before_);
  raw_fd.store(-1);
}

}  // namespace vcd::client

// SPDX-License-Identifier: Apache-2.0
#include "client/posix/signals.h"

#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/posix/unique_fd.h"

namespace vcd::client {
namespace {

constexpr int kLastSignal = 64;

class ProcessSignals : public SignalSource {
 public:
  explicit ProcessSignals(UniqueFd fd) : fd_(std::move(fd)) {}

  int fd() const override { return fd_.get(); }

  int Take() override {
    signalfd_siginfo info;
    return ::read(fd_.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
  }

 private:
  UniqueFd fd_;
};

absl::StatusOr<std::unique_ptr<SignalSource>> Watch(const sigset_t& set) {
  if (int error = ::pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
    return absl::ErrnoToStatus(error, "block signals");
  }
  UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, "signalfd");
  return std::unique_ptr<SignalSource>(std::make_unique<ProcessSignals>(std::move(fd)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<SignalSource>> WatchProcessSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2}) {
    // What nohup(1) or a shell's background job told us to ignore stays ignored.
    struct sigaction action;
    if (::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) continue;
    sigaddset(&set, signal);
  }
  return Watch(set);
}

absl::StatusOr<std::unique_ptr<SignalSource>> WatchWindowSignal() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGWINCH);
  return Watch(set);
}

absl::StatusOr<int> ParseSignal(const std::string& text) {
  int number = 0;
  if (absl::SimpleAtoi(text, &number)) {
    if (number >= 1 && number <= kLastSignal) return number;
  } else {
    std::string name = absl::AsciiStrToUpper(text);
    if (absl::StartsWith(name, "SIG")) name.erase(0, 3);
    for (int signal = 1; signal <= kLastSignal; ++signal) {
      const char* known = ::sigabbrev_np(signal);
      if (known != nullptr && name == known) return signal;
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\" is no signal: give a name such as TERM or a number from 1 to ", kLastSignal));
}

std::string SignalName(int signal) {
  const char* known = ::sigabbrev_np(signal);
  return known == nullptr ? absl::StrCat("signal ", signal) : absl::StrCat("SIG", known);
}

}  // namespace vcd::client

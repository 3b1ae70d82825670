// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_POSIX_SIGNALS_H_
#define VCD_CLIENT_POSIX_SIGNALS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace vcd::client {

// Signals sent to vc, as something that poll(2) can wait for. One thread at a time.
class SignalSource {
 public:
  virtual ~SignalSource() = default;

  // Readable while a signal waits to be taken.
  virtual int fd() const = 0;
  // The next signal number, or 0 when none waits. Does not block.
  virtual int Take() = 0;
};

// SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 of this process. Blocks them in the calling thread and so in
// all that it starts later: call it before anything of gRPC. They stay blocked until the process ends.
absl::StatusOr<std::unique_ptr<SignalSource>> WatchProcessSignals();

// SIGWINCH of this process, under the same conditions.
absl::StatusOr<std::unique_ptr<SignalSource>> WatchWindowSignal();

// The number for `TERM`, `SIGTERM`, `term` or `15`; INVALID_ARGUMENT otherwise.
absl::StatusOr<int> ParseSignal(const std::string& text);

// `SIGTERM` for 15; `signal 99` for what has no name.
std::string SignalName(int signal);

}  // namespace vcd::client

#endif  // VCD_CLIENT_POSIX_SIGNALS_H_

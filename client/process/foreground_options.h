// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_PROCESS_FOREGROUND_OPTIONS_H_
#define VCD_CLIENT_PROCESS_FOREGROUND_OPTIONS_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/arguments.h"
#include "client/environment.h"
#include "client/posix/signals.h"
#include "client/process/detach_keys.h"
#include "proto/vcd/v1/process.pb.h"

namespace vcd::client {

// What `run`, `exec` and `attach` say of keys and signals in their help.
inline constexpr char kKeysAndSignalsHelp[] =
    "Without a terminal of its own the command is sent vc's signals; a second SIGINT or SIGTERM ends vc alone.\n"
    "With one (-t) all that is typed goes to the command, Ctrl-C too. It goes on without vc after Ctrl-P Ctrl-Q, "
    "after\n"
    "signal n to vc, which ends vc with 128 + n, and after the terminal is closed, which ends vc with 129.\n";

// How to be with a process in the foreground: the options that `run`, `exec` and `attach` share.
class ForegroundOptions {
 public:
  void Declare(Arguments* arguments);

  // INVALID_ARGUMENT naming the option.
  absl::StatusOr<DetachKeys> Keys() const { return DetachKeys::Parse(detach_keys_); }
  bool proxy_signals() const { return !no_sig_proxy_; }

 private:
  std::string detach_keys_ = DetachKeys::kDefault;
  bool no_sig_proxy_ = false;
};

// Gives `cmd`, which has a terminal, the size and TERM of ours, where it says nothing itself. INVALID_ARGUMENT when
// there is none of ours to be its own.
absl::Status AdoptTerminal(const Environment& environment, v1::Cmd* cmd);

}  // namespace vcd::client

#endif  // VCD_CLIENT_PROCESS_FOREGROUND_OPTIONS_H_

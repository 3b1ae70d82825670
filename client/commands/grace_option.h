// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_COMMANDS_GRACE_OPTION_H_
#define VCD_CLIENT_COMMANDS_GRACE_OPTION_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "client/arguments.h"
#include "client/daemon/daemon_client.h"

namespace vcd::client {

// How long what is stopped has to end by itself: -t of the verbs that stop.
class GraceOption {
 public:
  // `help` says who has the time.
  void Declare(Arguments* arguments, const std::string& help) {
    arguments->Number("-t,--time", &seconds_, "SECONDS", help + " (default: the daemon's, 10)");
  }

  // For a request: 0 there is the daemon's default, and one second is as near to none as the API can say.
  uint32_t seconds() const { return !seconds_ ? 0 : *seconds_ == 0 ? 1 : *seconds_; }

  // For the call: the grace is time that was asked for, not time in which vcd does not answer.
  CallOptions OptionsFor(const DaemonClient& daemon) const {
    CallOptions options;
    options.timeout = daemon.timeout() + absl::Seconds(seconds_.value_or(0));
    return options;
  }

 private:
  std::optional<uint32_t> seconds_;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_COMMANDS_GRACE_OPTION_H_

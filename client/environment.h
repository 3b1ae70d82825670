// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_ENVIRONMENT_H_
#define VCD_CLIENT_ENVIRONMENT_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/posix/signals.h"

namespace vcd::client {

// Descriptors, borrowed.
struct Streams {
  int in = 0;
  int out = 1;
  int err = 2;
};

// What vc takes from the process around it, so that tests can put something else in its place.
struct Environment {
  Streams streams;
  // A variable of the environment.
  std::function<std::optional<std::string>(const std::string& name)> variable;
  std::function<absl::Time()> now;
  // From here on signals are the command's to handle. Called before anything of gRPC.
  std::function<absl::StatusOr<std::unique_ptr<SignalSource>>()> watch_signals;
  // The same for SIGWINCH: the terminal has another size.
  std::function<absl::StatusOr<std::unique_ptr<SignalSource>>()> watch_window;
};

// The real one.
Environment ProcessEnvironment();

}  // namespace vcd::client

#endif  // VCD_CLIENT_ENVIRONMENT_H_

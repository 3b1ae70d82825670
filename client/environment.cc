// SPDX-License-Identifier: Apache-2.0
#include "client/environment.h"

#include <cstdlib>
#include <optional>
#include <string>

#include "absl/time/clock.h"

namespace vcd::client {

Environment ProcessEnvironment() {
  Environment environment;
  environment.variable = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
  environment.now = [] { return absl::Now(); };
  environment.watch_signals = WatchProcessSignals;
  environment.watch_window = WatchWindowSignal;
  return environment;
}

}  // namespace vcd::client

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_METRICS_METRICS_ADDRESS_H_
#define VCD_DAEMON_METRICS_METRICS_ADDRESS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace vcd {

// Where metrics are served: a Unix socket, or a TCP port of this host.
struct MetricsAddress {
  std::string path;   // Absolute path of the socket; empty: TCP.
  std::string host;   // A numeric address, IPv6 without brackets.
  uint16_t port = 0;  // 0: any free one.

  bool is_unix() const { return !path.empty(); }
  // Nobody on another host can reach it.
  bool is_local() const;
  // As the configuration wants it.
  std::string Text() const;
};

// Reads `unix:///PATH`, `HOST:PORT`, or `:PORT` for a port of 127.0.0.1. HOST is `localhost` or numeric, `[::1]` for
// IPv6: names are not looked up. kInvalidArgument (`metrics.listen`) for anything else.
absl::StatusOr<MetricsAddress> ParseMetricsAddress(const std::string& text);

}  // namespace vcd

#endif  // VCD_DAEMON_METRICS_METRICS_ADDRESS_H_

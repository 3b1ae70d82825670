// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVER_LISTEN_ADDRESS_H_
#define VCD_DAEMON_SERVER_LISTEN_ADDRESS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace vcd {

// Where the daemon listens: one Unix socket, or a TCP port of the loopback interface.
struct ListenAddress {
  std::string path;   // Absolute path of the socket; empty: TCP.
  std::string host;   // `127.0.0.1` or `[::1]`.
  uint16_t port = 0;  // 0: any free one.

  bool is_unix() const { return !path.empty(); }
  // As gRPC wants it.
  std::string Target() const;
  // As the configuration wants it.
  std::string Url() const;
};

// Reads `unix:///PATH` or `tcp://127.0.0.1:PORT` (`[::1]`, `localhost`). kInvalidArgument (`listen`) for anything else;
// kUnimplemented for TCP beyond this host, which needs mutual TLS.
absl::StatusOr<ListenAddress> ParseListenAddress(const std::string& url);

}  // namespace vcd

#endif  // VCD_DAEMON_SERVER_LISTEN_ADDRESS_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_DAEMON_ADDRESS_H_
#define VCD_CLIENT_DAEMON_ADDRESS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace vcd::client {

// Where vcd listens unless told otherwise.
inline constexpr char kDefaultAddress[] = "unix:///run/vcd/vcd.sock";

// Where a vcd is: a Unix socket, or a TCP port of the loopback interface.
struct DaemonAddress {
  std::string path;  // Empty for TCP.
  std::string host;  // `127.0.0.1` or `[::1]`.
  uint16_t port = 0;

  bool is_unix() const { return !path.empty(); }
  // As gRPC wants it. Without a name that it would have to look up.
  std::string Target() const;
  // For people: the path, or `tcp://127.0.0.1:50051`.
  std::string Name() const;
};

// Reads `unix:///absolute/path`, `unix:path`, a plain path or `tcp://HOST:PORT`, where HOST is 127.0.0.1, [::1] or
// localhost, which is the first. INVALID_ARGUMENT for all else; as the daemon's own `listen`, which is for this host
// only, UNIMPLEMENTED for other hosts.
absl::StatusOr<DaemonAddress> ParseAddress(const std::string& address);

// Tries to connect and says in UNAVAILABLE or PERMISSION_DENIED what stands in the way and what to do; OK when
// something listens there. Does not wait for an answer, and for a connection a second at most.
absl::Status Probe(const DaemonAddress& address);

}  // namespace vcd::client

#endif  // VCD_CLIENT_DAEMON_ADDRESS_H_

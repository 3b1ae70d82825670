// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_DAEMON_ADDRESS_H_
#define VCD_CLIENT_DAEMON_ADDRESS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace vcd::client {

// Where vcd listens unless told otherwise.
inline constexpr char kDefaultAddress[] = "unix:///run/vcd/vcd.sock";

// The path of the socket in `unix:///absolute/path`, `unix:path` or a plain path; INVALID_ARGUMENT for all else.
absl::StatusOr<std::string> SocketPath(const std::string& address);

// Tries to connect to the socket and says in UNAVAILABLE or PERMISSION_DENIED what stands in the way and what to do;
// OK when something listens there. Does not wait for an answer.
absl::Status ProbeSocket(const std::string& path);

}  // namespace vcd::client

#endif  // VCD_CLIENT_DAEMON_ADDRESS_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_FORWARD_LISTENER_H_
#define VCD_CLIENT_FORWARD_LISTENER_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "client/posix/unique_fd.h"

namespace vcd::client {

// Takes TCP connections at an address of this host.
class Listener {
 public:
  // `address` is numeric; port 0 is any that is free. Says what is wrong with address or port, such as that it is
  // taken.
  static absl::StatusOr<Listener> Open(const std::string& address, uint16_t port);

  int fd() const { return fd_.get(); }
  // "127.0.0.1:8080", "[::1]:8080".
  const std::string& name() const { return name_; }
  // Does not block; an invalid one when nobody waits any more.
  UniqueFd Accept() const;

 private:
  UniqueFd fd_;
  std::string name_;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_FORWARD_LISTENER_H_

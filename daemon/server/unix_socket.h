// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVER_UNIX_SOCKET_H_
#define VCD_DAEMON_SERVER_UNIX_SOCKET_H_

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace vcd {

// Makes the directory that the socket is to be in, mode 0755: whoever may use the socket has to reach it. OK when it is
// there.
absl::Status MakeSocketDirectory(const std::string& path);

// Makes sure that a socket can be bound at the path: makes its directory, and refuses when something is there that is
// no socket, or when somebody listens on it and still does after a second, for which it blocks. A socket on which nobody
// listens may stay: gRPC replaces it. kFailedPrecondition, or as the kernel says; `flag` is what the message tells to
// use for another path.
absl::Status PrepareUnixSocketPath(const std::string& path, absl::string_view flag = "--listen");

// Gives the socket to the group `vcd`; does nothing where there is no such group.
absl::Status GiveUnixSocketToGroup(const std::string& path);

// What the process's umask becomes while this object lives: whole processes have one, so use it before other threads
// run.
class ScopedUmask {
 public:
  explicit ScopedUmask(mode_t mask);
  ~ScopedUmask();
  ScopedUmask(const ScopedUmask&) = delete;
  ScopedUmask& operator=(const ScopedUmask&) = delete;

 private:
  const mode_t before_;
};

}  // namespace vcd

#endif  // VCD_DAEMON_SERVER_UNIX_SOCKET_H_

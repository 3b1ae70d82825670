// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_UNIX_SOCKET_H_
#define VCD_CORE_OS_UNIX_SOCKET_H_

#include <string>

#include "absl/status/statusor.h"
#include "core/os/unique_fd.h"

// Unix stream sockets named by a directory and a short name in it. The directory is opened and the socket reached through
// /proc/self/fd, because a socket's address holds 107 bytes of path and the paths of pods may be longer.
namespace vcd {

// A listening socket `directory/name`, mode 0600. One that a dead process left there is replaced. The file stays when
// the socket is closed: RemoveFile.
absl::StatusOr<UniqueFd> ListenUnix(const std::string& directory, const std::string& name, int backlog);

// A connected, blocking socket. Does not wait for the peer to accept: kUnavailable when its backlog is full or nobody
// listens, kNotFound when there is no such socket.
absl::StatusOr<UniqueFd> ConnectUnix(const std::string& directory, const std::string& name);

}  // namespace vcd

#endif  // VCD_CORE_OS_UNIX_SOCKET_H_

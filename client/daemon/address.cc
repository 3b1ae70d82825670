// SPDX-License-Identifier: Apache-2.0
#include "client/daemon/address.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/posix/unique_fd.h"

namespace vcd::client {

absl::StatusOr<std::string> SocketPath(const std::string& address) {
  std::string path = address;
  if (absl::StartsWith(address, "unix://")) {
    path = address.substr(strlen("unix://"));
    if (!absl::StartsWith(path, "/")) {
      return absl::InvalidArgumentError(
          absl::StrCat("address \"", address, "\": the path after unix:// must be absolute, as in ", kDefaultAddress));
    }
  } else if (absl::StartsWith(address, "unix:")) {
    path = address.substr(strlen("unix:"));
  } else if (absl::StrContains(address, ":") || !absl::StrContains(address, "/")) {
    return absl::InvalidArgumentError(
        absl::StrCat("address \"", address, "\": only Unix sockets are supported, as in ", kDefaultAddress));
  }
  if (path.empty()) return absl::InvalidArgumentError(absl::StrCat("address \"", address, "\" names no socket"));
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("address \"", address, "\": a socket's path has at most ",
                                                   sizeof(sockaddr_un::sun_path) - 1, " bytes, this one ",
                                                   path.size()));
  }
  return path;
}

absl::Status ProbeSocket(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, "socket");
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path.data(), path.size());
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return absl::OkStatus();
  const int error = errno;
  const std::string cannot = absl::StrCat("cannot reach vcd at ", path, ": ", strerror(error));
  switch (error) {
    case EAGAIN:
      return absl::OkStatus();  // Something listens, with a full backlog.
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(
          absl::StrCat(cannot, "; join the group vcd (sudo usermod -aG vcd $USER, then log in again) or use sudo"));
    case ENOENT:
      return absl::UnavailableError(
          absl::StrCat(cannot, "; start vcd, or name its socket with --address or VCD_ADDRESS"));
    case ECONNREFUSED:
      return absl::UnavailableError(
          absl::StrCat(cannot,
                       ", nothing listens there any more; start vcd, or name its socket with --address or "
                       "VCD_ADDRESS"));
    default:
      return absl::UnavailableError(
          absl::StrCat(cannot, "; see that vcd runs and that --address or VCD_ADDRESS names its socket"));
  }
}

}  // namespace vcd::client

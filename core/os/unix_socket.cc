// SPDX-License-Identifier: Apache-2.0
#include "core/os/unix_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

struct Address {
  UniqueFd directory;  // What the address points into; needed until it was used.
  sockaddr_un socket = {};
};

absl::StatusOr<Address> MakeAddress(const std::string& directory, const std::string& name) {
  Address address;
  address.directory.Reset(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!address.directory.valid()) return PosixError(errno, absl::StrCat("open ", directory));
  const std::string path = absl::StrCat("/proc/self/fd/", address.directory.get(), "/", name);
  address.socket.sun_family = AF_UNIX;
  if (name.empty() || path.size() >= sizeof(address.socket.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", name, "\" cannot be the name of a socket"));
  }
  memcpy(address.socket.sun_path, path.c_str(), path.size() + 1);
  return address;
}

}  // namespace

absl::StatusOr<UniqueFd> ListenUnix(const std::string& directory, const std::string& name, int backlog) {
  const std::string step = absl::StrCat("listen on ", directory, "/", name);
  VCD_ASSIGN_OR_RETURN(const Address address, MakeAddress(directory, name));
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return PosixError(errno, step);
  if (unlinkat(address.directory.get(), name.c_str(), 0) != 0 && errno != ENOENT) return PosixError(errno, step);
  // fchmod on the socket before bind sets the mode of the file to come, whatever the umask.
  fchmod(socket.get(), 0600);
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address.socket), sizeof(address.socket)) != 0 ||
      listen(socket.get(), backlog) != 0) {
    return PosixError(errno, step);
  }
  return socket;
}

absl::StatusOr<UniqueFd> ConnectUnix(const std::string& directory, const std::string& name) {
  const std::string step = absl::StrCat("connect to ", directory, "/", name);
  VCD_ASSIGN_OR_RETURN(const Address address, MakeAddress(directory, name));
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return PosixError(errno, step);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address.socket), sizeof(address.socket)) != 0) {
    if (errno == EAGAIN) return absl::UnavailableError(absl::StrCat(step, ": too many connections wait there"));
    if (errno == ECONNREFUSED) return absl::UnavailableError(absl::StrCat(step, ": nobody listens"));
    return PosixError(errno, step);
  }
  const int flags = fcntl(socket.get(), F_GETFL);
  if (flags < 0 || fcntl(socket.get(), F_SETFL, flags & ~O_NONBLOCK) != 0) return PosixError(errno, step);
  return socket;
}

}  // namespace vcd

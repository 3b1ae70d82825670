// SPDX-License-Identifier: Apache-2.0
#include "client/daemon/address.h"

#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/posix/unique_fd.h"

namespace vcd::client {
namespace {

constexpr int kProbeMs = 1000;

absl::Status BadAddress(const std::string& address, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat("address \"", address, "\"", problem));
}

absl::StatusOr<DaemonAddress> ParseTcp(const std::string& address, absl::string_view rest) {
  const size_t colon = rest.rfind(':');
  uint32_t port = 0;
  if (colon == absl::string_view::npos || !absl::SimpleAtoi(rest.substr(colon + 1), &port) || port == 0 ||
      port > 65535) {
    return BadAddress(address, " has no port from 1 to 65535, as in tcp://127.0.0.1:50051");
  }
  DaemonAddress parsed;
  parsed.host = std::string(rest.substr(0, colon));
  parsed.port = static_cast<uint16_t>(port);
  if (parsed.host == "localhost") parsed.host = "127.0.0.1";
  if (parsed.host != "127.0.0.1" && parsed.host != "[::1]") {
    return absl::UnimplementedError(
        absl::StrCat("address \"", address,
                     "\" may be of another host, which needs mutual TLS, and vcd does not have that yet; use "
                     "unix:///PATH or tcp://127.0.0.1:PORT and bring your own tunnel"));
  }
  return parsed;
}

absl::StatusOr<DaemonAddress> ParseUnix(const std::string& address) {
  absl::string_view path = address;
  if (absl::ConsumePrefix(&path, "unix://")) {
    if (!absl::StartsWith(path, "/")) {
      return BadAddress(address, absl::StrCat(": the path after unix:// must be absolute, as in ", kDefaultAddress));
    }
  } else if (!absl::ConsumePrefix(&path, "unix:") && (absl::StrContains(path, ":") || !absl::StrContains(path, "/"))) {
    return BadAddress(address, absl::StrCat(" is neither a Unix socket, as ", kDefaultAddress,
                                            ", nor a port of this host, as tcp://127.0.0.1:50051"));
  }
  if (path.empty()) return BadAddress(address, " names no socket");
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return BadAddress(address, absl::StrCat(": a socket's path has at most ", sizeof(sockaddr_un::sun_path) - 1,
                                            " bytes, this one ", path.size()));
  }
  DaemonAddress parsed;
  parsed.path = std::string(path);
  return parsed;
}

// Where to connect to, as the kernel wants it.
struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t size = 0;
};

SocketAddress ToSocketAddress(const DaemonAddress& address) {
  SocketAddress result;
  if (address.is_unix()) {
    sockaddr_un* const local = reinterpret_cast<sockaddr_un*>(&result.storage);
    local->sun_family = AF_UNIX;
    memcpy(local->sun_path, address.path.data(), address.path.size());
    result.size = sizeof *local;
  } else if (address.host == "[::1]") {
    sockaddr_in6* const loopback = reinterpret_cast<sockaddr_in6*>(&result.storage);
    loopback->sin6_family = AF_INET6;
    loopback->sin6_addr = in6addr_loopback;
    loopback->sin6_port = htons(address.port);
    result.size = sizeof *loopback;
  } else {
    sockaddr_in* const loopback = reinterpret_cast<sockaddr_in*>(&result.storage);
    loopback->sin_family = AF_INET;
    loopback->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    loopback->sin_port = htons(address.port);
    result.size = sizeof *loopback;
  }
  return result;
}

// 0 or an errno. Something that listens with a full backlog counts as there.
int Connect(int fd, const SocketAddress& to) {
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&to.storage), to.size) == 0 || errno == EAGAIN) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd connected{fd, POLLOUT, 0};
  int error = 0;
  socklen_t size = sizeof error;
  if (::poll(&connected, 1, kProbeMs) <= 0) return 0;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

}  // namespace

std::string DaemonAddress::Target() const {
  if (is_unix()) return absl::StrCat("unix:", path);
  return absl::StrCat(host == "127.0.0.1" ? "ipv4:" : "ipv6:", host, ":", port);
}

std::string DaemonAddress::Name() const { return is_unix() ? path : absl::StrCat("tcp://", host, ":", port); }

absl::StatusOr<DaemonAddress> ParseAddress(const std::string& address) {
  absl::string_view rest = address;
  return absl::ConsumePrefix(&rest, "tcp://") ? ParseTcp(address, rest) : ParseUnix(address);
}

absl::Status Probe(const DaemonAddress& address) {
  const SocketAddress to = ToSocketAddress(address);
  UniqueFd fd(::socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, "socket");
  const int error = Connect(fd.get(), to);
  const std::string cannot = absl::StrCat("cannot reach vcd at ", address.Name(), ": ", strerror(error));
  const char* const what = address.is_unix() ? "socket" : "address";
  switch (error) {
    case 0:
      return absl::OkStatus();
    case EACCES:
    case EPERM:
      if (!address.is_unix()) break;
      return absl::PermissionDeniedError(
          absl::StrCat(cannot, "; join the group vcd (sudo usermod -aG vcd $USER, then log in again) or use sudo"));
    case ENOENT:
      return absl::UnavailableError(
          absl::StrCat(cannot, "; start vcd, or name its socket with --address or VCD_ADDRESS"));
    case ECONNREFUSED:
      return absl::UnavailableError(absl::StrCat(cannot, ", nothing listens there",
                                                 address.is_unix() ? " any more" : "", "; start vcd, or name its ",
                                                 what, " with --address or VCD_ADDRESS"));
  }
  return absl::UnavailableError(
      absl::StrCat(cannot, "; see that vcd runs and that --address or VCD_ADDRESS names its ", what));
}

}  // namespace vcd::client

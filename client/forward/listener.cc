// SPDX-License-Identifier: Apache-2.0
#include "client/forward/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "absl/strings/str_cat.h"

namespace vcd::client {
namespace {

union SocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

}  // namespace

absl::StatusOr<Listener> Listener::Open(const std::string& address, uint16_t port) {
  SocketAddress place{};
  socklen_t size = sizeof(place.v4);
  if (::inet_pton(AF_INET, address.c_str(), &place.v4.sin_addr) == 1) {
    place.v4.sin_family = AF_INET;
    place.v4.sin_port = htons(port);
  } else if (::inet_pton(AF_INET6, address.c_str(), &place.v6.sin6_addr) == 1) {
    size = sizeof(place.v6);
    place.v6.sin6_family = AF_INET6;
    place.v6.sin6_port = htons(port);
  } else {
    return absl::InvalidArgumentError(absl::StrCat("\"", address, "\" is no address: write one as 127.0.0.1 or ::1"));
  }
  Listener listener;
  listener.fd_ = UniqueFd(::socket(place.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (!listener.fd_.valid() || ::setsockopt(listener.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      ::bind(listener.fd(), &place.any, size) != 0 || ::listen(listener.fd(), SOMAXCONN) != 0 ||
      ::getsockname(listener.fd(), &place.any, &size) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("listen at ", address, " port ", port));
  }
  const bool is_v6 = place.any.sa_family == AF_INET6;
  listener.name_ = absl::StrCat(is_v6 ? "[" : "", address, is_v6 ? "]:" : ":",
                                ntohs(is_v6 ? place.v6.sin6_port : place.v4.sin_port));
  return listener;
}

UniqueFd Listener::Accept() const { return UniqueFd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }

}  // namespace vcd::client

// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/metrics_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "core/os/unix_socket.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"
#include "daemon/server/unix_socket.h"

namespace vcd {
namespace {

constexpr int kBacklog = 64;

absl::StatusOr<UniqueFd> ListenOnPath(const std::string& path) {
  VCD_RETURN_IF_ERROR(PrepareUnixSocketPath(path, "--metrics-listen"));
  const std::filesystem::path file(path);
  VCD_ASSIGN_OR_RETURN(UniqueFd socket, ListenUnix(file.parent_path().string(), file.filename().string(), kBacklog));
  // It was made for the owner alone; what follows only opens it.
  VCD_RETURN_IF_ERROR(GiveUnixSocketToGroup(path));
  std::error_code error;
  using std::filesystem::perms;
  std::filesystem::permissions(file, perms::owner_read | perms::owner_write | perms::group_read | perms::group_write,
                               error);
  if (error) return PosixError(error.value(), absl::StrCat("open ", path, " to its group"));
  return socket;
}

absl::StatusOr<UniqueFd> ListenOnPort(MetricsAddress& address) {
  const std::string step = absl::StrCat("listen for metrics on ", address.Text());
  sockaddr_storage storage = {};
  socklen_t length = 0;
  sockaddr_in6 v6 = {};
  sockaddr_in v4 = {};
  if (inet_pton(AF_INET6, address.host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    length = sizeof(v6);
    std::memcpy(&storage, &v6, length);
  } else if (inet_pton(AF_INET, address.host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    length = sizeof(v4);
    std::memcpy(&storage, &v4, length);
  } else {
    return absl::InvalidArgumentError(absl::StrCat(step, ": \"", address.host, "\" is no numeric address"));
  }
  UniqueFd socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return PosixError(errno, step);
  // A daemon that starts anew must not wait for the connections of the one before to be forgotten.
  const int on = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 ||
      listen(socket.get(), kBacklog) != 0) {
    const int error = errno;
    return Annotate(PosixError(error, step), error == EADDRINUSE
                                                 ? "another program has the port; choose another with --metrics-listen"
                                                 : "choose another address with --metrics-listen");
  }
  sockaddr_storage bound = {};
  socklen_t bound_length = sizeof(bound);
  if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound), &bound_length) != 0) {
    return PosixError(errno, step);
  }
  std::memcpy(&v6, &bound, sizeof(v6));
  std::memcpy(&v4, &bound, sizeof(v4));
  address.port = ntohs(bound.ss_family == AF_INET6 ? v6.sin6_port : v4.sin_port);
  return socket;
}

}  // namespace

absl::StatusOr<UniqueFd> ListenForMetrics(MetricsAddress& address) {
  return address.is_unix() ? ListenOnPath(address.path) : ListenOnPort(address);
}

}  // namespace vcd

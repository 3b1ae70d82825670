// SPDX-License-Identifier: Apache-2.0
#include "daemon/server/listen_address.h"

#include <sys/un.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

constexpr char kField[] = "listen";
// With room for the NUL that ends it (unix(7)).
constexpr size_t kMaxSocketPath = sizeof(sockaddr_un::sun_path) - 1;

absl::StatusOr<ListenAddress> ParseUnix(const std::string& url, absl::string_view path) {
  if (!absl::StartsWith(path, "/") || absl::EndsWith(path, "/")) {
    return InvalidField(kField,
                        absl::StrCat("`", url, "` has no absolute path of a socket; write unix:///run/vcd/vcd.sock"));
  }
  if (path.size() > kMaxSocketPath) {
    return InvalidField(kField, absl::StrCat("the path `", path, "` has ", path.size(), " bytes, and the kernel takes ",
                                             kMaxSocketPath, " for a Unix socket; choose a shorter one"));
  }
  if (absl::StrContains(path, '\0')) return InvalidField(kField, "the path holds a NUL");
  ListenAddress address;
  address.path = std::string(path);
  return address;
}

absl::StatusOr<ListenAddress> ParseTcp(const std::string& url, absl::string_view rest) {
  const size_t colon = rest.rfind(':');
  uint32_t port = 0;
  if (colon == absl::string_view::npos || !absl::SimpleAtoi(rest.substr(colon + 1), &port) || port > 65535) {
    return InvalidField(kField, absl::StrCat("`", url, "` has no port; write tcp://127.0.0.1:PORT"));
  }
  ListenAddress address;
  address.host = std::string(rest.substr(0, colon));
  address.port = static_cast<uint16_t>(port);
  if (address.host == "localhost") address.host = "127.0.0.1";
  if (address.host != "127.0.0.1" && address.host != "[::1]") {
    return WithDetail(absl::UnimplementedError(absl::StrCat(
                          "`listen`: `", url,
                          "` is reachable from other hosts, which needs mutual TLS, and vcd does not "
                          "have that yet; listen on unix:///PATH or tcp://127.0.0.1:PORT and bring your own tunnel")),
                      {v1::ERROR_REASON_NOT_IMPLEMENTED, {{"field", kField}}});
  }
  return address;
}

}  // namespace

std::string ListenAddress::Target() const {
  return is_unix() ? absl::StrCat("unix:", path) : absl::StrCat(host, ":", port);
}

std::string ListenAddress::Url() const {
  return is_unix() ? absl::StrCat("unix://", path) : absl::StrCat("tcp://", host, ":", port);
}

absl::StatusOr<ListenAddress> ParseListenAddress(const std::string& url) {
  absl::string_view rest = url;
  if (absl::ConsumePrefix(&rest, "unix://")) return ParseUnix(url, rest);
  if (absl::ConsumePrefix(&rest, "tcp://")) return ParseTcp(url, rest);
  return InvalidField(kField, absl::StrCat("`", url, "` is neither unix:///PATH nor tcp://127.0.0.1:PORT"));
}

}  // namespace vcd

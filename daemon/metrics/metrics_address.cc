// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics/metrics_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

constexpr char kField[] = "metrics.listen";
// With room for the NUL that ends it (unix(7)).
constexpr size_t kMaxSocketPath = sizeof(sockaddr_un::sun_path) - 1;

absl::StatusOr<MetricsAddress> ParseUnix(const std::string& text, absl::string_view path) {
  if (!absl::StartsWith(path, "/") || absl::EndsWith(path, "/") || absl::StrContains(path, '\0')) {
    return InvalidField(
        kField, absl::StrCat("`", text, "` has no absolute path of a socket; write unix:///run/vcd/metrics.sock"));
  }
  if (path.size() > kMaxSocketPath) {
    return InvalidField(kField, absl::StrCat("the path `", path, "` has ", path.size(), " bytes, and the kernel takes ",
                                             kMaxSocketPath, " for a Unix socket; choose a shorter one"));
  }
  MetricsAddress address;
  address.path = std::string(path);
  return address;
}

bool IsNumeric(const std::string& host, bool brackets) {
  in6_addr parsed;
  return inet_pton(brackets ? AF_INET6 : AF_INET, host.c_str(), &parsed) == 1;
}

}  // namespace

bool MetricsAddress::is_local() const {
  return is_unix() || host == "::1" || (absl::StartsWith(host, "127.") && !absl::StrContains(host, ':'));
}

std::string MetricsAddress::Text() const {
  if (is_unix()) return absl::StrCat("unix://", path);
  const bool v6 = absl::StrContains(host, ':');
  return absl::StrCat(v6 ? "[" : "", host, v6 ? "]:" : ":", port);
}

absl::StatusOr<MetricsAddress> ParseMetricsAddress(const std::string& text) {
  absl::string_view rest = text;
  if (absl::ConsumePrefix(&rest, "unix://")) return ParseUnix(text, rest);
  if (absl::StartsWith(rest, "/")) {
    return InvalidField(kField, absl::StrCat("`", text, "` is a path; write unix://", text, " for a socket"));
  }
  // As `listen` has it.
  absl::ConsumePrefix(&rest, "tcp://");
  const size_t colon = rest.rfind(':');
  uint32_t port = 0;
  if (colon == absl::string_view::npos || !absl::SimpleAtoi(rest.substr(colon + 1), &port) || port > 65535) {
    return InvalidField(kField, absl::StrCat("`", text, "` is neither unix:///PATH nor 127.0.0.1:PORT"));
  }
  absl::string_view host = rest.substr(0, colon);
  const bool brackets = absl::ConsumePrefix(&host, "[") && absl::ConsumeSuffix(&host, "]");
  MetricsAddress address;
  address.host = std::string(host.empty() || host == "localhost" ? "127.0.0.1" : host);
  address.port = static_cast<uint16_t>(port);
  if (!IsNumeric(address.host, brackets)) {
    return InvalidField(
        kField, absl::StrCat("`", text, "`: \"", host, "\" is no numeric address; write 127.0.0.1:PORT or [::1]:PORT"));
  }
  return address;
}

}  // namespace vcd

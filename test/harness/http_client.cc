// SPDX-License-Identifier: Apache-2.0
#include "test/harness/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cstdlib>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace vcd {
namespace {

UniqueFd Connect(const std::string& address) {
  sockaddr_un local = {};
  sockaddr_in internet = {};
  const bool is_unix = absl::StartsWith(address, "unix://");
  const sockaddr* target = is_unix ? reinterpret_cast<sockaddr*>(&local) : reinterpret_cast<sockaddr*>(&internet);
  if (is_unix) {
    local.sun_family = AF_UNIX;
    std::strncpy(local.sun_path, address.c_str() + strlen("unix://"), sizeof(local.sun_path) - 1);
  } else {
    const size_t colon = address.rfind(':');
    internet.sin_family = AF_INET;
    internet.sin_port = htons(static_cast<uint16_t>(std::atoi(address.c_str() + colon + 1)));
    inet_pton(AF_INET, address.substr(0, colon).c_str(), &internet.sin_addr);
  }
  UniqueFd fd(socket(target->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval limit = {30, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  const socklen_t length = is_unix ? sizeof(local) : sizeof(internet);
  if (connect(fd.get(), target, length) != 0) fd.Reset();
  return fd;
}

}  // namespace

HttpConnection::HttpConnection(const std::string& address) : fd_(Connect(address)) {}

bool HttpConnection::Send(const std::string& bytes) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n = send(fd_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return false;
    sent += static_cast<size_t>(n);
  }
  return true;
}

std::string HttpConnection::ReadToEnd() {
  std::string bytes;
  char chunk[4096];
  for (ssize_t n = 0; (n = recv(fd_.get(), chunk, sizeof(chunk), 0)) > 0;) bytes.append(chunk, static_cast<size_t>(n));
  return bytes;
}

std::string HttpGet(const std::string& address, const std::string& path) {
  HttpConnection connection(address);
  if (!connection.connected()) return "";
  connection.Send(absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  return connection.ReadToEnd();
}

std::optional<double> MetricValue(const std::string& text, const std::string& series) {
  for (const absl::string_view piece : absl::StrSplit(text, '\n')) {
    const std::string line(piece);
    if (absl::StartsWith(line, absl::StrCat(series, " "))) return std::atof(line.c_str() + series.size());
  }
  return std::nullopt;
}

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_METRICS_HTTP_REQUEST_H_
#define VCD_DAEMON_METRICS_HTTP_REQUEST_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

// As much of HTTP/1.1 as it takes to be scraped: one request on a connection, no body.
namespace vcd {

struct HttpRequest {
  int error = 0;  // A status code, such as 400, when it is none that can be answered; then the rest is empty.
  std::string method;
  std::string path;  // Without what comes behind `?`.
};

// Length of the head of a request, the empty line that ends it included; 0 while it is not complete.
size_t HttpHeadLength(absl::string_view bytes);

// Reads a complete head. Whatever the bytes are, this ends, and in time linear in their number.
HttpRequest ParseHttpHead(absl::string_view head);

// A whole response, which says that the connection ends with it. `code` is one of those that this room uses. With
// `head_only` its body is left out but counted.
std::string MakeHttpResponse(int code, absl::string_view content_type, absl::string_view body, bool head_only = false);

}  // namespace vcd

#endif  // VCD_DAEMON_METRICS_HTTP_REQUEST_H_

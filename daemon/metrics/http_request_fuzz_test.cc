// SPDX-License-Identifier: Apache-2.0
// Whatever a client sends, reading it ends without a crash, and what is taken as a path is one.
#include <cstdlib>

#include "daemon/metrics/http_request.h"
#include "test/fuzz/fuzz_target.h"

std::vector<std::string> FuzzSeeds() {
  return {"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET http://host/metrics?a=b HTTP/1.0\n\n",
          "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "GET * HTTP/2.0\r\n\r\n"};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const size_t length = vcd::HttpHeadLength(bytes);
  if (length > size) std::abort();
  const vcd::HttpRequest request = vcd::ParseHttpHead(bytes.substr(0, length == 0 ? size : length));
  if (request.error == 0 && (request.path.empty() || request.path[0] != '/')) std::abort();
  return 0;
}

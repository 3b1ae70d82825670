// SPDX-License-Identifier: Apache-2.0
// Whatever a client sends, reading it ends without a crash, and what is taken as a path is one.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "daemon/metrics/http_request.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const size_t length = vcd::HttpHeadLength(bytes);
  if (length > size) std::abort();
  const vcd::HttpRequest request = vcd::ParseHttpHead(bytes.substr(0, length == 0 ? size : length));
  if (request.error == 0 && (request.path.empty() || request.path[0] != '/')) std::abort();
  return 0;
}

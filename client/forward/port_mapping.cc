// SPDX-License-Identifier: Apache-2.0
#include "client/forward/port_mapping.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace vcd::client {
namespace {

bool ParsePort(const std::string& text, uint32_t lowest, uint16_t* port) {
  uint32_t number = 0;
  if (!absl::SimpleAtoi(text, &number) || number < lowest || number > 65535) return false;
  *port = static_cast<uint16_t>(number);
  return true;
}

}  // namespace

absl::StatusOr<PortMapping> ParsePortMapping(const std::string& text) {
  PortMapping mapping;
  const size_t colon = text.find(':');
  const std::string remote = colon == std::string::npos ? text : text.substr(colon + 1);
  const std::string local = colon == std::string::npos ? text : text.substr(0, colon);
  if (!ParsePort(remote, 1, &mapping.remote) || (!local.empty() && !ParsePort(local, 0, &mapping.local))) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" names no ports: write LOCAL:REMOTE, as 8080:80, or REMOTE alone; 1 … 65535"));
  }
  return mapping;
}

}  // namespace vcd::client

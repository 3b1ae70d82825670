// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_FORWARD_PORT_MAPPING_H_
#define VCD_CLIENT_FORWARD_PORT_MAPPING_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace vcd::client {

// Which port here leads to which in the pod.
struct PortMapping {
  uint16_t local = 0;  // 0: any that is free.
  uint16_t remote = 0;
};

// `8080:80`; `80` for the same on both sides; `:80` or `0:80` for any here. INVALID_ARGUMENT otherwise.
absl::StatusOr<PortMapping> ParsePortMapping(const std::string& text);

}  // namespace vcd::client

#endif  // VCD_CLIENT_FORWARD_PORT_MAPPING_H_

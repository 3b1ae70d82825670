// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_STATE_SEAL_H_
#define VCD_CORE_STATE_SEAL_H_

#include <string>

#include "absl/status/status.h"

namespace vcd {

// A checksum in a JSON document, as its last member: `"checksum": "0a1b2c3d"`, the CRC-32C of all other bytes. A bit
// that a disk flipped is found by it. Whoever edits a record by hand takes the member out.

// `json` is an object that ends with a brace on a line of its own, as protobuf and nlohmann print it.
std::string Seal(const std::string& json);

// Takes the seal out. kDataLoss when it does not fit. OK, and the document unchanged, when there is none.
absl::Status Unseal(std::string* json);

}  // namespace vcd

#endif  // VCD_CORE_STATE_SEAL_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_STATE_JSON_PRINTER_H_
#define VCD_CORE_STATE_JSON_PRINTER_H_

#include <string>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"

namespace vcd {

// Prints a message as protobuf JSON, indented, with the names of the .proto file: byte for byte what protobuf's own
// MessageToJsonString prints with `add_whitespace` and `preserve_proto_field_names`, except that maps are in the order
// of their keys, not in that of a hash table. It is written anew because every operation on a pod prints records, and
// the library resolves the types of a message again at each call (docs/decisions/0004). kInvalidArgument for what has
// no JSON form, such as a time before the year 1.
absl::StatusOr<std::string> PrintJson(const google::protobuf::Message& message);

}  // namespace vcd

#endif  // VCD_CORE_STATE_JSON_PRINTER_H_

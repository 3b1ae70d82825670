// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_STATE_TESTING_LIBRARY_JSON_H_
#define VCD_CORE_STATE_TESTING_LIBRARY_JSON_H_

#include <string>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"

namespace vcd {

// What protobuf's own printer makes of a message, its maps in the order of their keys: what core/state/json_printer.h
// promises.
absl::StatusOr<std::string> LibraryJson(const google::protobuf::Message& message);

}  // namespace vcd

#endif  // VCD_CORE_STATE_TESTING_LIBRARY_JSON_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_FORMAT_JSON_H_
#define VCD_CLIENT_FORMAT_JSON_H_

#include <string>

#include "google/protobuf/message.h"

namespace vcd::client {

// Protobuf JSON with the field names of the .proto files and enums by name; several lines, the last one ended.
std::string ToJson(const google::protobuf::Message& message);

// The same on one line, which is ended too.
std::string ToJsonLine(const google::protobuf::Message& message);

}  // namespace vcd::client

#endif  // VCD_CLIENT_FORMAT_JSON_H_

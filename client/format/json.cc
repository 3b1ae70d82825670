// SPDX-License-Identifier: Apache-2.0
#include "client/format/json.h"

#include <string>

#include "google/protobuf/util/json_util.h"

namespace vcd::client {
namespace {

std::string Print(const google::protobuf::Message& message, bool pretty) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = pretty;
  options.preserve_proto_field_names = true;
  std::string json;
  // Fails only for an Any of an unknown type or a time out of range; what was printed up to there is then the best.
  (void)google::protobuf::util::MessageToJsonString(message, &json, options);
  if (json.empty() || json.back() != '\n') json.push_back('\n');
  return json;
}

}  // namespace

std::string ToJson(const google::protobuf::Message& message) { return Print(message, true); }
std::string ToJsonLine(const google::protobuf::Message& message) { return Print(message, false); }

}  // namespace vcd::client

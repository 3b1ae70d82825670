// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_FORMAT_YAML_H_
#define VCD_CLIENT_FORMAT_YAML_H_

#include <string>

#include "absl/status/statusor.h"
#include "google/protobuf/descriptor.h"

namespace vcd::client {

// The same data as YAML in block style, keys in their order. Strings that YAML would read as something else are quoted.
std::string JsonToYaml(const std::string& json);

// One YAML document, of a message of `type`, as JSON with every scalar as a string, which protobuf's JSON parser reads
// as whatever type the field has: `id: 007` stays "007". In a field that is an integer 0022 and 0o22 are octal, as in
// YAML, unless they are quoted; without a `type` no field is known to be one. INVALID_ARGUMENT with line and column for
// what is not YAML.
absl::StatusOr<std::string> YamlToJson(const std::string& yaml, const google::protobuf::Descriptor* type = nullptr);

}  // namespace vcd::client

#endif  // VCD_CLIENT_FORMAT_YAML_H_

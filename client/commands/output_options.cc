// SPDX-License-Identifier: Apache-2.0
#include "client/commands/output_options.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "client/format/json.h"
#include "client/format/yaml.h"

namespace vcd::client {

void OutputOptions::Declare(Arguments* arguments) {
  arguments->Choice("-o,--output", &format_, {"table", "json", "yaml"}, "How to print");
}

void OutputOptions::DeclareWithNames(Arguments* arguments) {
  arguments->Choice("-o,--output", &format_, {"table", "json", "yaml", "name"}, "How to print");
  arguments->Flag("-q,--quiet", &quiet_, "Print ids only, one a line");
}

std::string OutputOptions::RenderJson(const std::string& json) const {
  return format_ == "yaml" ? JsonToYaml(json) : json;
}

std::string OutputOptions::RenderItem(const google::protobuf::Message& message) const {
  return format_ == "yaml" ? absl::StrCat("---\n", JsonToYaml(ToJson(message))) : ToJsonLine(message);
}

std::string OutputOptions::ToText(const google::protobuf::Message& message) { return ToJson(message); }

}  // namespace vcd::client

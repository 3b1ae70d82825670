// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_COMMANDS_OUTPUT_OPTIONS_H_
#define VCD_CLIENT_COMMANDS_OUTPUT_OPTIONS_H_

#include <string>

#include "client/arguments.h"
#include "google/protobuf/message.h"

namespace vcd::client {

// How a verb that reads prints what it read.
class OutputOptions {
 public:
  // `format` is the one taken when none is given.
  explicit OutputOptions(const std::string& format) : format_(format) {}

  // -o table|json|yaml.
  void Declare(Arguments* arguments);
  // The same with `name`, and -q as a short word for it: ids only, one a line.
  void DeclareWithNames(Arguments* arguments);

  bool names() const { return quiet_ || format_ == "name"; }
  bool table() const { return !names() && format_ == "table"; }

  // The message as JSON or YAML, whichever was asked for.
  std::string Render(const google::protobuf::Message& message) const { return RenderJson(ToText(message)); }
  // The same for JSON that is there already.
  std::string RenderJson(const std::string& json) const;
  // One of many that come one by one: a line of JSON, or a YAML document.
  std::string RenderItem(const google::protobuf::Message& message) const;

 private:
  static std::string ToText(const google::protobuf::Message& message);

  std::string format_;
  bool quiet_ = false;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_COMMANDS_OUTPUT_OPTIONS_H_

// SPDX-License-Identifier: Apache-2.0
#include "client/format/yaml.h"

#include <charconv>
#include <cstdint>
#include <string>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "yaml-cpp/yaml.h"

namespace vcd::client {
namespace {

// Deeper than any message of ours; ends documents whose aliases lead in circles.
constexpr int kMaxDepth = 32;
// More than any sensible document has; ends those whose aliases multiply.
constexpr size_t kMaxJsonBytes = 4 << 20;

// yaml-cpp keeps of a quoted scalar only this tag.
constexpr char kQuoted[] = "!";

bool ReadsAsItself(const std::string& text) {
  try {
    const YAML::Node node = YAML::Load(text);
    if (!node.IsScalar() || node.Scalar() != text || node.Tag() != "?") return false;
    bool truth;
    double number;
    return !YAML::convert<bool>::decode(node, truth) && !YAML::convert<double>::decode(node, number);
  } catch (const YAML::Exception&) {
    return false;
  }
}

void EmitNode(const YAML::Node& node, YAML::Emitter* out) {
  switch (node.Type()) {
    case YAML::NodeType::Map:
      if (node.size() == 0) *out << YAML::Flow;
      *out << YAML::BeginMap;
      for (const auto& entry : node) {
        *out << YAML::Key;
        EmitNode(entry.first, out);
        *out << YAML::Value;
        EmitNode(entry.second, out);
      }
      *out << YAML::EndMap;
      return;
    case YAML::NodeType::Sequence:
      if (node.size() == 0) *out << YAML::Flow;
      *out << YAML::BeginSeq;
      for (const auto& item : node) EmitNode(item, out);
      *out << YAML::EndSeq;
      return;
    case YAML::NodeType::Scalar:
      if (node.Tag() == kQuoted && !ReadsAsItself(node.Scalar())) *out << YAML::DoubleQuoted;
      *out << node.Scalar();
      return;
    default:
      *out << YAML::Null;
  }
}

void AppendJsonString(const std::string& text, std::string* json) {
  json->push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      absl::StrAppend(json, "\\", std::string(1, c));
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppend(json, absl::StrFormat("\\u%04x", c));
    } else {
      json->push_back(c);
    }
  }
  json->push_back('"');
}

using Descriptor = google::protobuf::Descriptor;
using FieldDescriptor = google::protobuf::FieldDescriptor;

// Null for what the message does not have, and without a message.
const FieldDescriptor* FindField(const Descriptor* type, const std::string& name) {
  if (type == nullptr) return nullptr;
  const FieldDescriptor* const field = type->FindFieldByName(name);
  return field != nullptr ? field : type->FindFieldByCamelcaseName(name);
}

// 0022 and 0o22, as YAML 1.1 and 1.2 write octal numbers, in decimal; anything else as it is.
std::string Decimal(const std::string& text) {
  const size_t digits = text.compare(0, 2, "0o") == 0 ? 2 : 1;
  const char* const end = text.data() + text.size();
  uint64_t number = 0;
  if (text.size() <= digits || text[0] != '0') return text;
  const auto read = std::from_chars(text.data() + digits, end, number, 8);
  return read.ec == std::errc() && read.ptr == end ? absl::StrCat(number) : text;
}

bool IsInteger(const FieldDescriptor* field) {
  if (field == nullptr) return false;
  const auto type = field->cpp_type();
  return type == FieldDescriptor::CPPTYPE_INT32 || type == FieldDescriptor::CPPTYPE_INT64 ||
         type == FieldDescriptor::CPPTYPE_UINT32 || type == FieldDescriptor::CPPTYPE_UINT64;
}

// `field` is what the node is the value of; null where that is not known. `type` is of a node that is a message.
absl::Status AppendJson(const YAML::Node& node, int depth, const FieldDescriptor* field, const Descriptor* type,
                        std::string* json) {
  if (depth > kMaxDepth) return absl::InvalidArgumentError("nested too deeply");
  if (json->size() > kMaxJsonBytes)
    return absl::InvalidArgumentError("larger than 4 MiB once its aliases are followed");
  const char* separator = "";
  switch (node.Type()) {
    case YAML::NodeType::Map:
      json->push_back('{');
      for (const auto& entry : node) {
        if (!entry.first.IsScalar()) return absl::InvalidArgumentError("a key is not a plain word");
        absl::StrAppend(json, separator);
        AppendJsonString(entry.first.Scalar(), json);
        json->push_back(':');
        const bool is_map = field != nullptr && field->is_map();
        const FieldDescriptor* const value = is_map ? type->map_value() : FindField(type, entry.first.Scalar());
        const Descriptor* const value_type = value == nullptr ? nullptr : value->message_type();
        if (auto status = AppendJson(entry.second, depth + 1, value, value_type, json); !status.ok()) return status;
        separator = ",";
      }
      json->push_back('}');
      return absl::OkStatus();
    case YAML::NodeType::Sequence:
      json->push_back('[');
      for (const auto& item : node) {
        absl::StrAppend(json, separator);
        if (auto status = AppendJson(item, depth + 1, field, type, json); !status.ok()) return status;
        separator = ",";
      }
      json->push_back(']');
      return absl::OkStatus();
    case YAML::NodeType::Scalar:
      AppendJsonString(IsInteger(field) && node.Tag() != kQuoted ? Decimal(node.Scalar()) : node.Scalar(), json);
      return absl::OkStatus();
    default:
      absl::StrAppend(json, "null");
      return absl::OkStatus();
  }
}

}  // namespace

std::string JsonToYaml(const std::string& json) {
  try {
    YAML::Emitter out;
    EmitNode(YAML::Load(json), &out);
    return absl::StrCat(out.c_str(), "\n");
  } catch (const YAML::Exception&) {
    return json;  // JSON is YAML too; better unformatted than nothing.
  }
}

absl::StatusOr<std::string> YamlToJson(const std::string& yaml, const google::protobuf::Descriptor* type) {
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(yaml);
    if (documents.size() != 1) {
      return absl::InvalidArgumentError(absl::StrCat("holds ", documents.size(), " YAML documents; one is needed"));
    }
    std::string json;
    if (auto status = AppendJson(documents[0], 0, nullptr, type, &json); !status.ok()) return status;
    return json;
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat("line ", error.mark.line + 1, ", column ", error.mark.column + 1, ": ", error.msg));
  }
}

}  // namespace vcd::client

// SPDX-License-Identifier: Apache-2.0
#include "core/state/unknown_members.h"

#include <nlohmann/json.hpp>
#include <string>

namespace vcd {
namespace {

using Json = nlohmann::ordered_json;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

const FieldDescriptor* FindField(const Descriptor& schema, const std::string& name) {
  const FieldDescriptor* field = schema.FindFieldByName(name);
  return field != nullptr ? field : schema.FindFieldByCamelcaseName(name);
}

// Messages that are JSON objects with a member per field; maps and well-known types are not.
bool IsObject(const FieldDescriptor& field) {
  return field.type() == FieldDescriptor::TYPE_MESSAGE && !field.is_map() &&
         field.message_type()->well_known_type() == Descriptor::WELLKNOWNTYPE_UNSPECIFIED;
}

const std::string* IdOf(const Json& element) {
  if (!element.is_object()) return nullptr;
  const auto id = element.find("id");
  return id != element.end() ? id->get_ptr<const std::string*>() : nullptr;
}

Json UnknownInField(const Json& value, const FieldDescriptor& field) {
  if (!field.is_repeated()) return UnknownMembers(value, *field.message_type());
  Json unknown;
  if (!value.is_array()) return unknown;
  for (const Json& element : value) {
    const std::string* id = IdOf(element);
    if (id == nullptr) continue;
    Json members = UnknownMembers(element, *field.message_type());
    if (!members.is_null()) unknown[*id] = std::move(members);
  }
  return unknown;
}

}  // namespace

Json UnknownMembers(const Json& document, const Descriptor& schema) {
  Json unknown;
  if (!document.is_object()) return unknown;
  for (const auto& [name, value] : document.items()) {
    const FieldDescriptor* field = FindField(schema, name);
    if (field == nullptr) {
      unknown[name] = value;
    } else if (IsObject(*field)) {
      Json members = UnknownInField(value, *field);
      if (!members.is_null()) unknown[name] = std::move(members);
    }
  }
  return unknown;
}

void RestoreUnknownMembers(const Json& unknown, const Descriptor& schema, Json& document) {
  if (!unknown.is_object() || !document.is_object()) return;
  for (const auto& [name, members] : unknown.items()) {
    const FieldDescriptor* field = FindField(schema, name);
    if (field == nullptr) {
      document[name] = members;
      continue;
    }
    const auto value = document.find(field->name());
    if (value == document.end()) continue;
    if (!field->is_repeated()) {
      RestoreUnknownMembers(members, *field->message_type(), *value);
      continue;
    }
    for (Json& element : *value) {
      const std::string* id = IdOf(element);
      const auto found = id != nullptr ? members.find(*id) : members.end();
      if (found != members.end()) RestoreUnknownMembers(*found, *field->message_type(), element);
    }
  }
}

}  // namespace vcd

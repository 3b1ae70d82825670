// SPDX-License-Identifier: Apache-2.0
#include "core/state/json_printer.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <string_view>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/status/status_macros.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/wrappers.pb.h"

namespace vcd {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::Timestamp;

// More than most records take.
constexpr size_t kUsualSize = 2048;

// What is rare is left to the library: slower, and right by definition. For messages that are no objects in JSON.
absl::StatusOr<std::string> PrintByLibrary(const Message& message) {
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json);
  if (!status.ok()) return absl::InvalidArgumentError(std::string(status.message()));
  return json;
}

// Whether a string stands in JSON as it is. The library escapes more than JSON asks for: what HTML gives a meaning to,
// and some of what is not ASCII.
bool IsPlain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char byte) {
    return byte >= ' ' && byte < 0x7f && byte != '"' && byte != '\\' && byte != '<' && byte != '>';
  });
}

// As printf prints it with as few of 15 and 17 digits as give the same number when read.
std::string DoubleText(double value) {
  if (std::isnan(value)) return "\"NaN\"";
  if (std::isinf(value)) return value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  char text[32];
  char* end = std::to_chars(std::begin(text), std::end(text), value, std::chars_format::scientific).ptr;
  const auto digits =
      std::count_if(text, std::find(text, end, 'e'), [](char byte) { return byte >= '0' && byte <= '9'; });
  end = std::to_chars(std::begin(text), std::end(text), value, std::chars_format::general, digits <= 15 ? 15 : 17).ptr;
  return std::string(text, end);
}

void AppendDigits(int64_t value, int width, std::string* text) {
  const size_t begin = text->size();
  text->resize(begin + width);
  for (int i = width; i > 0; value /= 10) (*text)[begin + --i] = static_cast<char>('0' + value % 10);
}

// Nothing for a time that has no text.
void AppendTime(const Timestamp& time, std::string* text) {
  constexpr int64_t kFirstSecond = -62135596800;  // Of the year 1.
  constexpr int64_t kLastSecond = 253402300799;   // Of the year 9999.
  const bool valid =
      time.seconds() >= kFirstSecond && time.seconds() <= kLastSecond && time.nanos() >= 0 && time.nanos() < 1000000000;
  if (!valid) return;
  const std::chrono::sys_seconds second{std::chrono::seconds(time.seconds())};
  const auto day = std::chrono::floor<std::chrono::days>(second);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(second - day);
  *text += '"';
  AppendDigits(static_cast<int>(date.year()), 4, text);
  *text += '-';
  AppendDigits(static_cast<unsigned>(date.month()), 2, text);
  *text += '-';
  AppendDigits(static_cast<unsigned>(date.day()), 2, text);
  *text += 'T';
  AppendDigits(clock.hours().count(), 2, text);
  *text += ':';
  AppendDigits(clock.minutes().count(), 2, text);
  *text += ':';
  AppendDigits(clock.seconds().count(), 2, text);
  if (time.nanos() != 0) {
    *text += '.';
    AppendDigits(time.nanos(), 9, text);
    // Three, six or nine of them.
    while (absl::EndsWith(*text, "000")) text->resize(text->size() - 3);
  }
  *text += "Z\"";
}

class Printer {
 public:
  Printer() { json_.reserve(kUsualSize); }

  std::string TakeJson() { return std::move(json_); }

  absl::Status PrintMessage(const Message& message) {
    if (message.GetDescriptor()->well_known_type() != Descriptor::WELLKNOWNTYPE_UNSPECIFIED) {
      return PrintWellKnown(message);
    }
    std::vector<const FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);
    Open('{');
    for (const FieldDescriptor* field : fields) {
      NextMember();
      json_ += '"';
      json_ += field->name();
      json_ += "\": ";
      VCD_RETURN_IF_ERROR(PrintField(message, *field));
    }
    Close('}');
    return absl::OkStatus();
  }

 private:
  void NewLine() {
    json_ += '\n';
    json_.append(depth_, ' ');
  }
  void Open(char bracket) {
    json_ += bracket;
    ++depth_;
  }
  void NextMember() {
    if (json_.back() != '{' && json_.back() != '[') json_ += ',';
    NewLine();
  }
  void Close(char bracket) {
    --depth_;
    // What is empty stays on one line.
    if (json_.back() != '{' && json_.back() != '[') NewLine();
    json_ += bracket;
    if (depth_ == 0) json_ += '\n';
  }

  absl::Status PrintField(const Message& message, const FieldDescriptor& field) {
    if (field.is_map()) return PrintMap(message, field);
    if (!field.is_repeated()) return PrintValue(message, field, -1);
    Open('[');
    for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
      NextMember();
      VCD_RETURN_IF_ERROR(PrintValue(message, field, i));
    }
    Close(']');
    return absl::OkStatus();
  }

  absl::Status PrintMap(const Message& message, const FieldDescriptor& field) {
    std::vector<std::pair<std::string, const Message*>> entries;
    for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
      const Message& entry = message.GetReflection()->GetRepeatedMessage(message, &field, i);
      entries.emplace_back(entry.GetReflection()->GetString(entry, field.message_type()->map_key()), &entry);
    }
    std::sort(entries.begin(), entries.end());
    Open('{');
    for (const auto& [key, entry] : entries) {
      NextMember();
      VCD_RETURN_IF_ERROR(PrintString(key));
      json_ += ": ";
      VCD_RETURN_IF_ERROR(PrintValue(*entry, *field.message_type()->map_value(), -1));
    }
    Close('}');
    return absl::OkStatus();
  }

  // The element `index` of a repeated field; -1 for one that is not.
  absl::Status PrintValue(const Message& message, const FieldDescriptor& field, int index) {
    const Reflection& values = *message.GetReflection();
    const bool single = index < 0;
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        absl::StrAppend(&json_,
                        single ? values.GetInt32(message, &field) : values.GetRepeatedInt32(message, &field, index));
        break;
      case FieldDescriptor::CPPTYPE_UINT32:
        absl::StrAppend(&json_,
                        single ? values.GetUInt32(message, &field) : values.GetRepeatedUInt32(message, &field, index));
        break;
      // JavaScript's numbers cannot hold these.
      case FieldDescriptor::CPPTYPE_INT64:
        absl::StrAppend(&json_, "\"",
                        single ? values.GetInt64(message, &field) : values.GetRepeatedInt64(message, &field, index),
                        "\"");
        break;
      case FieldDescriptor::CPPTYPE_UINT64:
        absl::StrAppend(&json_, "\"",
                        single ? values.GetUInt64(message, &field) : values.GetRepeatedUInt64(message, &field, index),
                        "\"");
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
        json_ += (single ? values.GetBool(message, &field) : values.GetRepeatedBool(message, &field, index)) ? "true"
                                                                                                             : "false";
        break;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        json_ +=
            DoubleText(single ? values.GetDouble(message, &field) : values.GetRepeatedDouble(message, &field, index));
        break;
      case FieldDescriptor::CPPTYPE_ENUM:
        PrintEnum(field,
                  single ? values.GetEnumValue(message, &field) : values.GetRepeatedEnumValue(message, &field, index));
        break;
      case FieldDescriptor::CPPTYPE_STRING: {
        std::string scratch;
        const std::string& text = single ? values.GetStringReference(message, &field, &scratch)
                                         : values.GetRepeatedStringReference(message, &field, index, &scratch);
        if (field.type() == FieldDescriptor::TYPE_STRING) return PrintString(text);
        absl::StrAppend(&json_, "\"", absl::Base64Escape(text), "\"");
        break;
      }
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return PrintMessage(single ? values.GetMessage(message, &field)
                                   : values.GetRepeatedMessage(message, &field, index));
      case FieldDescriptor::CPPTYPE_FLOAT:
        // No record has one; a test that walks all their fields would find it.
        return absl::UnimplementedError(absl::StrCat(std::string(field.full_name()), ": is a float; use a double"));
    }
    return absl::OkStatus();
  }

  void PrintEnum(const FieldDescriptor& field, int number) {
    const EnumValueDescriptor* value = field.enum_type()->FindValueByNumber(number);
    if (value == nullptr) {
      absl::StrAppend(&json_, number);
    } else {
      absl::StrAppend(&json_, "\"", value->name(), "\"");
    }
  }

  absl::Status PrintString(const std::string& text) {
    if (IsPlain(text)) {
      json_ += '"';
      json_ += text;
      json_ += '"';
      return absl::OkStatus();
    }
    google::protobuf::StringValue value;
    value.set_value(text);
    return PrintWellKnown(value);
  }

  // Types with a JSON form of their own.
  absl::Status PrintWellKnown(const Message& message) {
    if (const auto* time = google::protobuf::DynamicCastToGenerated<const Timestamp>(&message)) {
      const size_t before = json_.size();
      AppendTime(*time, &json_);
      if (json_.size() > before) return absl::OkStatus();
    }
    VCD_ASSIGN_OR_RETURN(const std::string text, PrintByLibrary(message));
    json_ += text;
    return absl::OkStatus();
  }

  std::string json_;
  size_t depth_ = 0;
};

}  // namespace

absl::StatusOr<std::string> PrintJson(const Message& message) {
  Printer printer;
  VCD_RETURN_IF_ERROR(printer.PrintMessage(message));
  return printer.TakeJson();
}

}  // namespace vcd

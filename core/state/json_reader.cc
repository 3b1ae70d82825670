// SPDX-License-Identifier: Apache-2.0
#include "core/state/json_reader.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string>
#include <system_error>

#include "absl/strings/ascii.h"
#include "google/protobuf/timestamp.pb.h"

namespace vcd {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::Timestamp;

// More than any record has.
constexpr int kMaxDepth = 64;

bool AreDigits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char byte) { return absl::ascii_isdigit(byte); });
}

// Without a plus, leading zeros, a minus before zero: as it is printed.
template <typename T>
bool ReadInteger(std::string_view text, T* value) {
  const std::string_view digits = text.substr(text.substr(0, 1) == "-" ? 1 : 0);
  if (!AreDigits(digits) || (digits[0] == '0' && text.size() > 1)) return false;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), *value);
  return read.ec == std::errc() && read.ptr == text.data() + text.size();
}

// A number of JSON's grammar, which the library reads as the same double: it takes one without a point for an integer.
bool ReadDouble(std::string_view text, double* value) {
  constexpr size_t kDigitsOfAnExactInteger = 15;
  const std::string_view digits = text.substr(text.substr(0, 1) == "-" ? 1 : 0);
  const std::string_view whole = digits.substr(0, digits.find_first_of(".e"));
  if (!AreDigits(whole) || (whole[0] == '0' && whole.size() > 1) || whole.size() > kDigitsOfAnExactInteger)
    return false;
  if (whole.size() < digits.size() && digits[whole.size()] == '.' && !AreDigits(digits.substr(whole.size() + 1, 1))) {
    return false;
  }
  const auto read = std::from_chars(text.data(), text.data() + text.size(), *value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return false;
  return *value != 0 || text == "0";
}

// The digits of `text` from `at` on, and what must come after them.
bool ReadDigits(std::string_view text, size_t at, size_t count, char after, int* value) {
  if (text.size() <= at + count || !AreDigits(text.substr(at, count)) || text[at + count] != after) return false;
  std::from_chars(text.data() + at, text.data() + at + count, *value);
  return true;
}

// 2026-01-31T09:30:00Z, with three, six or nine digits of a second behind a point.
bool ReadTime(std::string_view text, Timestamp* time) {
  constexpr size_t kUpToSeconds = 19;
  if (text.size() <= kUpToSeconds || text.back() != 'Z') return false;
  int year, month, day, hour, minute, second, nanos = 0;
  if (!ReadDigits(text, 0, 4, '-', &year) || !ReadDigits(text, 5, 2, '-', &month) ||
      !ReadDigits(text, 8, 2, 'T', &day) || !ReadDigits(text, 11, 2, ':', &hour) ||
      !ReadDigits(text, 14, 2, ':', &minute) || !ReadDigits(text, 17, 2, text[kUpToSeconds], &second)) {
    return false;
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (year < 1 || !date.ok() || hour > 23 || minute > 59 || second > 59) return false;
  if (text[kUpToSeconds] == '.') {
    const size_t digits = text.size() - kUpToSeconds - 2;
    if (digits != 3 && digits != 6 && digits != 9) return false;
    if (!ReadDigits(text, kUpToSeconds + 1, digits, 'Z', &nanos)) return false;
    for (size_t missing = digits; missing < 9; ++missing) nanos *= 10;
  } else if (text.size() > kUpToSeconds + 1) {
    return false;
  }
  const std::chrono::sys_seconds day_begins = std::chrono::sys_days(date);
  time->set_seconds(day_begins.time_since_epoch().count() + hour * 3600 + minute * 60 + second);
  time->set_nanos(nanos);
  return true;
}

class Reader {
 public:
  explicit Reader(std::string_view json) : rest_(json) {}

  bool ReadDocument(Message& message) {
    if (!ReadMessage(message, 0)) return false;
    SkipBlanks();
    return rest_.empty();
  }

 private:
  void SkipBlanks() {
    const size_t blanks = rest_.find_first_not_of(" \n");
    rest_.remove_prefix(std::min(blanks, rest_.size()));
  }

  bool Take(char byte) {
    SkipBlanks();
    if (rest_.empty() || rest_.front() != byte) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool ReadString(std::string_view* text) {
    if (!Take('"')) return false;
    const size_t size = rest_.find('"');
    if (size == std::string_view::npos) return false;
    *text = rest_.substr(0, size);
    rest_.remove_prefix(size + 1);
    return std::all_of(text->begin(), text->end(),
                       [](char byte) { return byte >= ' ' && byte < 0x7f && byte != '\\'; });
  }

  // A number or a word.
  std::string_view ReadToken() {
    SkipBlanks();
    const std::string_view token = rest_.substr(0, rest_.find_first_of(",]} \n"));
    rest_.remove_prefix(token.size());
    return token;
  }

  bool ReadMessage(Message& message, int depth) {
    if (auto* time = google::protobuf::DynamicCastToGenerated<Timestamp>(&message)) {
      std::string_view text;
      return ReadString(&text) && ReadTime(text, time);
    }
    const Descriptor& type = *message.GetDescriptor();
    if (type.well_known_type() != Descriptor::WELLKNOWNTYPE_UNSPECIFIED || depth > kMaxDepth || !Take('{'))
      return false;
    if (Take('}')) return true;
    int last = 0;
    do {
      std::string_view name;
      if (!ReadString(&name) || !Take(':')) return false;
      const FieldDescriptor* field = type.FindFieldByName(std::string(name));
      // Members are printed in the order of their numbers: so none comes twice.
      if (field == nullptr || field->number() <= last) return false;
      last = field->number();
      if (field->containing_oneof() != nullptr &&
          message.GetReflection()->HasOneof(message, field->containing_oneof())) {
        return false;
      }
      if (!ReadField(message, *field, depth)) return false;
    } while (Take(','));
    return Take('}');
  }

  bool ReadField(Message& message, const FieldDescriptor& field, int depth) {
    if (field.is_map()) return ReadMap(message, field, depth);
    if (!field.is_repeated()) return ReadValue(message, field, depth);
    if (!Take('[')) return false;
    if (Take(']')) return true;
    do {
      if (!ReadValue(message, field, depth)) return false;
    } while (Take(','));
    return Take(']');
  }

  bool ReadMap(Message& message, const FieldDescriptor& field, int depth) {
    const FieldDescriptor& key = *field.message_type()->map_key();
    if (key.cpp_type() != FieldDescriptor::CPPTYPE_STRING || !Take('{')) return false;
    if (Take('}')) return true;
    std::string_view last;
    bool first = true;
    do {
      std::string_view name;
      if (!ReadString(&name) || !Take(':') || (!first && name <= last)) return false;
      first = false;
      last = name;
      Message& entry = *message.GetReflection()->AddMessage(&message, &field);
      entry.GetReflection()->SetString(&entry, &key, std::string(name));
      if (!ReadValue(entry, *field.message_type()->map_value(), depth)) return false;
    } while (Take(','));
    return Take('}');
  }

  template <typename Number>
  using Store = void (Reflection::*)(Message*, const FieldDescriptor*, Number) const;

  template <typename Number>
  static bool StoreInteger(std::string_view text, Message& message, const FieldDescriptor& field, Store<Number> set,
                           Store<Number> add) {
    Number value;
    if (!ReadInteger(text, &value)) return false;
    (message.GetReflection()->*(field.is_repeated() ? add : set))(&message, &field, value);
    return true;
  }

  // Sets a field, or adds to one that is a list.
  bool ReadValue(Message& message, const FieldDescriptor& field, int depth) {
    const Reflection& values = *message.GetReflection();
    const bool list = field.is_repeated();
    std::string_view text;
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        return StoreInteger(ReadToken(), message, field, &Reflection::SetInt32, &Reflection::AddInt32);
      case FieldDescriptor::CPPTYPE_UINT32:
        return StoreInteger(ReadToken(), message, field, &Reflection::SetUInt32, &Reflection::AddUInt32);
      case FieldDescriptor::CPPTYPE_INT64:
        return ReadString(&text) && StoreInteger(text, message, field, &Reflection::SetInt64, &Reflection::AddInt64);
      case FieldDescriptor::CPPTYPE_UINT64:
        return ReadString(&text) && StoreInteger(text, message, field, &Reflection::SetUInt64, &Reflection::AddUInt64);
      case FieldDescriptor::CPPTYPE_BOOL: {
        const std::string_view word = ReadToken();
        const bool value = word == "true";
        if (!value && word != "false") return false;
        list ? values.AddBool(&message, &field, value) : values.SetBool(&message, &field, value);
        return true;
      }
      case FieldDescriptor::CPPTYPE_DOUBLE: {
        double value;
        if (!ReadDouble(ReadToken(), &value)) return false;
        list ? values.AddDouble(&message, &field, value) : values.SetDouble(&message, &field, value);
        return true;
      }
      case FieldDescriptor::CPPTYPE_ENUM: {
        if (!ReadString(&text)) return false;
        const EnumValueDescriptor* value = field.enum_type()->FindValueByName(std::string(text));
        if (value == nullptr) return false;
        list ? values.AddEnum(&message, &field, value) : values.SetEnum(&message, &field, value);
        return true;
      }
      case FieldDescriptor::CPPTYPE_STRING: {
        if (field.type() != FieldDescriptor::TYPE_STRING || !ReadString(&text)) return false;
        list ? values.AddString(&message, &field, std::string(text))
             : values.SetString(&message, &field, std::string(text));
        return true;
      }
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return ReadMessage(list ? *values.AddMessage(&message, &field) : *values.MutableMessage(&message, &field),
                           depth + 1);
      case FieldDescriptor::CPPTYPE_FLOAT:
        return false;
    }
    return false;
  }

  std::string_view rest_;
};

}  // namespace

bool ReadPrintedJson(std::string_view json, Message* message) { return Reader(json).ReadDocument(*message); }

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "core/state/testing/random_messages.h"

#include <cstring>
#include <limits>

#include "google/protobuf/timestamp.pb.h"

namespace vcd {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;
using ::google::protobuf::Reflection;
using ::google::protobuf::Timestamp;

void AppendUtf8(uint32_t code, std::string* text) {
  const auto append = [&](uint32_t byte) { text->push_back(static_cast<char>(byte)); };
  if (code < 0x80) return append(code);
  if (code < 0x800) {
    append(0xc0 | code >> 6);
  } else if (code < 0x10000) {
    append(0xe0 | code >> 12);
    append(0x80 | (code >> 6 & 0x3f));
  } else {
    append(0xf0 | code >> 18);
    append(0x80 | (code >> 12 & 0x3f));
    append(0x80 | (code >> 6 & 0x3f));
  }
  append(0x80 | (code & 0x3f));
}

void RandomMessages::Fill(Message& message, int depth) {
  if (message.GetDescriptor() == Timestamp::descriptor()) return FillTime(message);
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message.GetDescriptor()->field(i);
    if ((Chance(2) && !field.is_required()) || (depth > 4 && field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE))
      continue;
    // No record has one.
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_FLOAT) continue;
    const int count = field.is_repeated() ? Below(4) : 1;
    for (int n = 0; n < count; ++n) SetValue(message, field, depth);
  }
}

template <typename T>
T RandomMessages::Integer() {
  switch (Below(4)) {
    case 0:
      return 0;
    case 1:
      return std::numeric_limits<T>::max();
    case 2:
      return std::numeric_limits<T>::min();
    default:
      return static_cast<T>((static_cast<uint64_t>(random_()) << 32 | random_()) >> Below(64));
  }
}

double RandomMessages::Double() {
  switch (Below(8)) {
    case 0:
      return -0.0;
    case 1:
      return std::numeric_limits<double>::infinity();
    case 2:
      return -std::numeric_limits<double>::infinity();
    case 3:
      return std::numeric_limits<double>::quiet_NaN();
    case 4:
      return Integer<int32_t>() * 1e-9;  // A time, as most are.
    case 5:
      return Integer<int64_t>();
    case 6:
      return std::uniform_real_distribution<double>()(random_);
    default: {
      const uint64_t bits = Integer<uint64_t>();
      double value;
      std::memcpy(&value, &bits, sizeof(value));
      return value;
    }
  }
}

std::string RandomMessages::Text() {
  constexpr int kPlanes[] = {0x80, 0x100, 0x3000, 0x10000, 0x110000};
  std::string text;
  const int limit = kPlanes[Below(5)];
  for (int left = Below(12); left > 0; --left) {
    // Half of all strings are plain, as nearly all are in records.
    uint32_t code = limit == 0x80 ? 'a' + Below(26) : Below(limit);
    if (code >= 0xd800 && code < 0xe000) code = '<';  // Surrogates are no characters.
    AppendUtf8(code, &text);
  }
  return text;
}

void RandomMessages::FillTime(Message& message) {
  Timestamp time;
  time.set_seconds(std::uniform_int_distribution<int64_t>(-62135596800, 253402300799)(random_));
  constexpr int kUnits[] = {1000000000, 1000000, 1000, 1};
  const int unit = kUnits[Below(4)];
  time.set_nanos(Below(1000000000 / unit) * unit);
  message.CopyFrom(time);
}

void RandomMessages::SetValue(Message& message, const FieldDescriptor& field, int depth) {
  const Reflection& values = *message.GetReflection();
  const bool list = field.is_repeated();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return list ? values.AddInt32(&message, &field, Integer<int32_t>())
                  : values.SetInt32(&message, &field, Integer<int32_t>());
    case FieldDescriptor::CPPTYPE_UINT32:
      return list ? values.AddUInt32(&message, &field, Integer<uint32_t>())
                  : values.SetUInt32(&message, &field, Integer<uint32_t>());
    case FieldDescriptor::CPPTYPE_INT64:
      return list ? values.AddInt64(&message, &field, Integer<int64_t>())
                  : values.SetInt64(&message, &field, Integer<int64_t>());
    case FieldDescriptor::CPPTYPE_UINT64:
      return list ? values.AddUInt64(&message, &field, Integer<uint64_t>())
                  : values.SetUInt64(&message, &field, Integer<uint64_t>());
    case FieldDescriptor::CPPTYPE_BOOL:
      return list ? values.AddBool(&message, &field, Chance(2)) : values.SetBool(&message, &field, Chance(2));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return list ? values.AddDouble(&message, &field, Double()) : values.SetDouble(&message, &field, Double());
    case FieldDescriptor::CPPTYPE_ENUM: {
      // A value that nobody knows is a number; proto2 does not keep one.
      const auto& type = *field.enum_type();
      const int number = Chance(8) && field.file()->syntax() == google::protobuf::FileDescriptor::SYNTAX_PROTO3
                             ? Integer<int32_t>()
                             : type.value(Below(type.value_count()))->number();
      return list ? values.AddEnumValue(&message, &field, number) : values.SetEnumValue(&message, &field, number);
    }
    case FieldDescriptor::CPPTYPE_STRING:
      return list ? values.AddString(&message, &field, Text()) : values.SetString(&message, &field, Text());
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return Fill(list ? *values.AddMessage(&message, &field) : *values.MutableMessage(&message, &field), depth + 1);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return;
  }
}

}  // namespace vcd

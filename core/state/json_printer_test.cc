// SPDX-License-Identifier: Apache-2.0
#include "core/state/json_printer.h"

#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>

#include "core/state/testing/library_json.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/wrappers.pb.h"
#include "gtest/gtest.h"
#include "proto/vcd/state/v1/pod_state.pb.h"
#include "proto/vcd/v1/pod.pb.h"

namespace vcd {
namespace {

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

// Fills messages at random, with what is hard to print more often than chance would bring it. The same seed gives the
// same messages.
class RandomMessages {
 public:
  explicit RandomMessages(uint32_t seed) : random_(seed) {}

  void Fill(Message& message, int depth = 0) {
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

 private:
  int Below(int limit) { return std::uniform_int_distribution<int>(0, limit - 1)(random_); }
  bool Chance(int one_in) { return Below(one_in) == 0; }

  template <typename T>
  T Integer() {
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

  double Double() {
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

  std::string Text() {
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

  void FillTime(Message& message) {
    Timestamp time;
    time.set_seconds(std::uniform_int_distribution<int64_t>(-62135596800, 253402300799)(random_));
    constexpr int kUnits[] = {1000000000, 1000000, 1000, 1};
    const int unit = kUnits[Below(4)];
    time.set_nanos(Below(1000000000 / unit) * unit);
    message.CopyFrom(time);
  }

  void SetValue(Message& message, const FieldDescriptor& field, int depth) {
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

  std::mt19937 random_;
};

void ExpectPrintedAsByTheLibrary(const Message& message) {
  const absl::StatusOr<std::string> printed = PrintJson(message);
  const absl::StatusOr<std::string> expected = LibraryJson(message);
  ASSERT_EQ(printed.ok(), expected.ok()) << printed.status() << " " << expected.status();
  if (!printed.ok()) return;
  ASSERT_EQ(*printed, *expected);
}

template <typename T>
class RandomMessageTest : public ::testing::Test {};

// Both records, with all that is in them; and what has fields of kinds that they have not yet.
using Types = ::testing::Types<v1::PodConfig, state::v1::PodRecord, v1::Pod, google::protobuf::FileDescriptorProto>;
TYPED_TEST_SUITE(RandomMessageTest, Types);

TYPED_TEST(RandomMessageTest, IsPrintedAsByTheLibrary) {
  RandomMessages random(1);
  for (int i = 0; i < 300; ++i) {
    TypeParam filled;
    random.Fill(filled);
    const TypeParam message = filled;  // Which has each key of a map once.
    // Twice: printing changes nothing.
    ASSERT_NO_FATAL_FAILURE(ExpectPrintedAsByTheLibrary(message)) << message.DebugString();
    ASSERT_NO_FATAL_FAILURE(ExpectPrintedAsByTheLibrary(message)) << message.DebugString();
  }
}

TEST(JsonPrinterTest, EveryCharacterIsPrintedAsByTheLibrary) {
  // One string for each 64 of them, to be done in reasonable time.
  for (uint32_t first = 0; first < 0x110000; first += 64) {
    if (first >= 0xd800 && first < 0xe000) continue;  // Surrogates are no characters.
    v1::PodConfig config;
    for (uint32_t code = first; code < first + 64; ++code) AppendUtf8(code, config.mutable_hostname());
    ASSERT_NO_FATAL_FAILURE(ExpectPrintedAsByTheLibrary(config)) << first;
  }
}

TEST(JsonPrinterTest, AnEmptyMessageIsPrintedAsByTheLibrary) {
  ExpectPrintedAsByTheLibrary(v1::PodConfig());
  v1::PodConfig config;
  config.mutable_hooks();
  config.add_containers();
  ExpectPrintedAsByTheLibrary(config);
}

TEST(JsonPrinterTest, TypesWithAFormOfTheirOwnArePrintedAsByTheLibrary) {
  google::protobuf::Duration duration;
  duration.set_seconds(-3);
  duration.set_nanos(-50000000);
  ExpectPrintedAsByTheLibrary(duration);
  google::protobuf::UInt64Value number;
  number.set_value(std::numeric_limits<uint64_t>::max());
  ExpectPrintedAsByTheLibrary(number);
}

TEST(JsonPrinterTest, MapsAreInTheOrderOfTheirKeys) {
  v1::PodConfig config;
  for (const char* key : {"b", "\xc3\xa4", "a", "ab"}) (*config.mutable_annotations())[key] = "x";
  const absl::StatusOr<std::string> json = PrintJson(config);
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(
      *json,
      "{\n \"annotations\": {\n  \"a\": \"x\",\n  \"ab\": \"x\",\n  \"b\": \"x\",\n  \"\xc3\xa4\": \"x\"\n }\n}\n");
}

TEST(JsonPrinterTest, BytesThatAreNotUtf8ArePrintedAsByTheLibrary) {
  state::v1::PodRecord record;
  record.set_reason("console said \xff\xfe\x80 and stopped");
  ExpectPrintedAsByTheLibrary(record);
}

TEST(JsonPrinterTest, ATimeThatCannotBeWrittenIsInvalid) {
  for (const auto& [seconds, nanos] :
       {std::pair<int64_t, int32_t>(-62135596801, 0), {253402300800, 0}, {0, -1}, {0, 1000000000}}) {
    state::v1::PodRecord record;
    record.mutable_created_at()->set_seconds(seconds);
    record.mutable_created_at()->set_nanos(nanos);
    EXPECT_EQ(PrintJson(record).status().code(), absl::StatusCode::kInvalidArgument) << seconds << " " << nanos;
    EXPECT_FALSE(LibraryJson(record).ok());
  }
}

}  // namespace
}  // namespace vcd

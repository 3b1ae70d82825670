// SPDX-License-Identifier: Apache-2.0
#include "core/state/json_printer.h"

#include <cstdint>
#include <limits>
#include <string>

#include "core/state/testing/library_json.h"
#include "core/state/testing/random_messages.h"
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

using ::google::protobuf::Message;

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

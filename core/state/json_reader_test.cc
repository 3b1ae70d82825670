// SPDX-License-Identifier: Apache-2.0
#include "core/state/json_reader.h"

#include <cstdint>
#include <string>

#include "core/state/json_printer.h"
#include "core/state/testing/random_messages.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "proto/vcd/state/v1/pod_state.pb.h"
#include "proto/vcd/v1/pod.pb.h"

namespace vcd {
namespace {

using ::google::protobuf::Message;
using state::v1::PodRecord;

// What is printed of two messages tells them apart, even where a number is none.
std::string Printed(const Message& message) { return *PrintJson(message); }

// Whether it was read; if so, as the library reads it.
template <typename T>
bool ReadAsByTheLibrary(const std::string& json) {
  T read, expected;
  if (!ReadPrintedJson(json, &read)) return false;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &expected);
  EXPECT_TRUE(status.ok()) << status << "\n" << json;
  EXPECT_EQ(Printed(read), Printed(expected)) << json;
  return true;
}

PodRecord UsualRecord() {
  PodRecord record;
  record.set_format_version(3);
  record.set_pod_id("web-1");
  record.set_state(v1::POD_STATE_RUNNING);
  record.mutable_created_at()->set_seconds(1793000000);
  record.mutable_created_at()->set_nanos(120000000);
  record.mutable_started_at()->set_seconds(-5);
  record.add_done()->set_fingerprint(18446744073709551615u);
  record.mutable_done(0)->set_request_id("r-1");
  record.mutable_vm()->mutable_process()->set_pid(42);
  record.mutable_vm()->add_block_devices()->set_writable(true);
  record.add_kept("a tap");
  record.add_kept("");
  record.mutable_under_way();
  state::v1::ContainerRecord& container = *record.add_containers();
  container.set_id("main");
  container.set_guest_pid(-7);
  container.mutable_exit_status()->set_code(3);
  return record;
}

v1::PodConfig UsualConfig() {
  v1::PodConfig config;
  config.set_id("web-1");
  (*config.mutable_annotations())["org.example/one"] = "1";
  (*config.mutable_annotations())["org.example/two"] = "";
  v1::ContainerConfig& container = *config.add_containers();
  container.mutable_cmd()->add_args("sleep");
  container.mutable_cmd()->add_args("1000");
  container.mutable_rootfs()->mutable_directory()->set_path("/srv/root");
  return config;
}

template <typename T>
class RandomMessageTest : public ::testing::Test {};

using Types = ::testing::Types<v1::PodConfig, PodRecord, v1::Pod, google::protobuf::FileDescriptorProto>;
TYPED_TEST_SUITE(RandomMessageTest, Types);

TYPED_TEST(RandomMessageTest, IsReadAsItWasPrintedOrLeftToTheLibrary) {
  RandomMessages random(2);
  for (int i = 0; i < 300; ++i) {
    TypeParam message, read;
    random.Fill(message);
    const std::string json = Printed(message);
    if (ReadPrintedJson(json, &read)) {
      ASSERT_EQ(Printed(read), json);
    }
  }
}

TEST(JsonReaderTest, ReadsWhatRecordsUsuallyHold) {
  PodRecord record;
  ASSERT_TRUE(ReadPrintedJson(Printed(UsualRecord()), &record));
  EXPECT_EQ(Printed(record), Printed(UsualRecord()));
  v1::PodConfig config;
  ASSERT_TRUE(ReadPrintedJson(Printed(UsualConfig()), &config));
  EXPECT_EQ(Printed(config), Printed(UsualConfig()));
  EXPECT_EQ(config.annotations().at("org.example/one"), "1");
}

// Each character taken out, doubled, and replaced.
template <typename T>
void ExpectNothingReadOtherwise(const std::string& json) {
  int read = 0;
  for (size_t at = 0; at < json.size(); ++at) {
    for (const char* replacement : {"", "00", "-", "\"", ",", "\n", "}", "[", ".", "e", "\\", "Z", "\xc3", "\t"}) {
      std::string text = json;
      text.replace(at, 1, replacement);
      read += ReadAsByTheLibrary<T>(text);
    }
    std::string text = json;
    text.insert(at, 1, json[at]);
    read += ReadAsByTheLibrary<T>(text);
  }
  EXPECT_GT(read, 0);
}

TEST(JsonReaderTest, NoDamageIsReadOtherwiseThanByTheLibrary) {
  ExpectNothingReadOtherwise<PodRecord>(Printed(UsualRecord()));
  ExpectNothingReadOtherwise<v1::PodConfig>(Printed(UsualConfig()));
}

TEST(JsonReaderTest, LeavesToTheLibraryWhatIsNotThePrinters) {
  for (const char* json : {
           "",
           " ",
           "null",
           "[]",
           "{",
           "{}}",
           "{} x",
           "{\"no_such_member\": 1}",
           "{\"podId\": \"web\"}",
           "{\"pod_id\": null}",
           "{\"pod_id\": \"a\", \"pod_id\": \"b\"}",
           "{\"pod_id\": \"a\", \"format_version\": 3}",
           "{\"pod_id\": \"w\\u0065b\"}",
           "{\"pod_id\": \"\xc3\xa4\"}",
           "{\"pod_id\": \"a\",}",
           "{\"format_version\": -1}",
           "{\"format_version\": 4294967296}",
           "{\"format_version\": 1.0}",
           "{\"format_version\": \"1\"}",
           "{\"state\": \"POD_STATE_ELSEWHERE\"}",
           "{\"state\": 3}",
           "{\"poststop_due\": True}",
           "{\"kept\": [\"a\" \"b\"]}",
           "{\"created_at\": \"2026-02-30T00:00:00Z\"}",
           "{\"created_at\": \"2026-02-03T24:00:00Z\"}",
           "{\"created_at\": \"2026-02-03T00:00:60Z\"}",
           "{\"created_at\": \"2026-02-03T00:00:00.1Z\"}",
           "{\"created_at\": \"2026-02-03T00:00:00+01:00\"}",
           "{\"created_at\": \"0000-02-03T00:00:00Z\"}",
           "{\"done\": [{\"fingerprint\": 12}]}",
       }) {
    PodRecord record;
    EXPECT_FALSE(ReadPrintedJson(json, &record)) << json;
  }
}

TEST(JsonReaderTest, ADocumentThatIsNestedTooDeeplyIsLeftToTheLibrary) {
  constexpr int kDepth = 100000;
  std::string json, end;
  for (int depth = 0; depth < kDepth; ++depth) {
    json += "{\"nested_type\": [";
    end += "]}";
  }
  json += "{}" + end;
  google::protobuf::DescriptorProto message;
  EXPECT_FALSE(ReadPrintedJson(json, &message));
}

}  // namespace
}  // namespace vcd

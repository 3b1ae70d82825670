// SPDX-License-Identifier: Apache-2.0
#include "core/state/state_codec.h"

#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::google::protobuf::util::MessageDifferencer;
using ::testing::HasSubstr;

TEST(StateCodecTest, ConfigsComeBackAsTheyWere) {
  v1::PodConfig config;
  config.set_id("web");
  config.mutable_resources()->set_memory_mib(256);
  (*config.mutable_annotations())["org.example.key"] = "a \"b\"\n\xc3\xa4";
  config.add_containers()->mutable_cmd()->add_args("sh");
  const absl::StatusOr<std::string> json = EncodePodConfig(config);
  ASSERT_TRUE(json.ok());
  // The names of the .proto file, for people with grep.
  EXPECT_THAT(*json, HasSubstr("\"memory_mib\": 256"));
  const absl::StatusOr<v1::PodConfig> back = DecodePodConfig(*json);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_TRUE(MessageDifferencer::Equals(config, *back));
}

TEST(StateCodecTest, RecordsComeBackAsTheyWereWithTheirVersion) {
  state::v1::PodRecord record;
  record.set_pod_id("web");
  record.set_state(v1::POD_STATE_RUNNING);
  record.mutable_under_way()->set_intent(state::v1::INTENT_STOP);
  record.mutable_vm()->mutable_process()->set_start_time_ticks(0xffffffffffffffff);
  record.mutable_created_at()->set_seconds(1700000000);
  record.mutable_created_at()->set_nanos(123456789);
  const absl::StatusOr<std::string> json = EncodePodRecord(record);
  ASSERT_TRUE(json.ok());
  EXPECT_THAT(*json, HasSubstr("\"format_version\": 2"));
  EXPECT_THAT(*json, HasSubstr("\"INTENT_STOP\""));
  const absl::StatusOr<state::v1::PodRecord> back = DecodePodRecord(*json);
  ASSERT_TRUE(back.ok()) << back.status();
  record.set_format_version(2);
  EXPECT_TRUE(MessageDifferencer::Equals(record, *back));
}

// What a guest or a kernel says may be any bytes; a record of it must still be readable after.
TEST(StateCodecTest, BytesThatAreNotUtf8DoNotMakeARecordUnreadable) {
  state::v1::PodRecord record;
  record.set_pod_id("web");
  record.set_reason("console said \xff\xfe\x80 and stopped");
  const absl::StatusOr<std::string> json = EncodePodRecord(record);
  ASSERT_TRUE(json.ok());
  const absl::StatusOr<state::v1::PodRecord> back = DecodePodRecord(*json);
  ASSERT_TRUE(back.ok()) << back.status() << *json;
  EXPECT_EQ(back->pod_id(), "web");
  EXPECT_THAT(back->reason(), HasSubstr("and stopped"));
}

TEST(StateCodecTest, WhatANewerReleaseWroteIsKept) {
  std::string unknown;
  absl::StatusOr<state::v1::PodRecord> record = DecodePodRecord(
      R"({"format_version": 2, "pod_id": "web", "from_the_future": {"a": [1]},
          "vm": {"accelerator": "kvm", "numa": 2},
          "containers": [{"id": "a", "rank": 7}, {"id": "b", "rank": 8}]})",
      &unknown);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->pod_id(), "web");
  // One of the containers goes meanwhile, and with it what belonged to it.
  record->mutable_containers()->DeleteSubrange(0, 1);
  const absl::StatusOr<std::string> json = EncodePodRecord(*record, unknown);
  ASSERT_TRUE(json.ok());
  std::string again;
  ASSERT_TRUE(DecodePodRecord(*json, &again).ok());
  EXPECT_EQ(again, R"({"vm":{"numa":2},"containers":{"b":{"rank":8}},"from_the_future":{"a":[1]}})") << *json;
}

TEST(StateCodecTest, AConfigKeepsWhatANewerReleaseWroteToo) {
  std::string unknown;
  const auto config = DecodePodConfig(
      R"({"id": "web", "annotations": {"x": "y"}, "affinity": "a", "containers": [{"id": "a", "tty": true}]})",
      &unknown);
  ASSERT_TRUE(config.ok()) << config.status();
  const absl::StatusOr<std::string> json = EncodePodConfig(*config, unknown);
  EXPECT_THAT(*json, HasSubstr("\"affinity\": \"a\""));
  EXPECT_THAT(*json, HasSubstr("\"tty\": true"));
}

TEST(StateCodecTest, AnUnknownValueOfAnEnumIsItsZero) {
  const auto record = DecodePodRecord(R"({"format_version": 2, "pod_id": "web", "state": "POD_STATE_DREAMING"})");
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->state(), v1::POD_STATE_UNSPECIFIED);
}

TEST(StateCodecTest, TheFirstFormatIsStillRead) {
  const auto record = DecodePodRecord(R"({"format_version": 1, "pod_id": "web", "intent": "INTENT_STOP"})");
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->under_way().intent(), state::v1::INTENT_STOP);
  EXPECT_EQ(record->format_version(), 2u);
}

TEST(StateCodecTest, DamageIsDataLoss) {
  const absl::StatusOr<std::string> good = EncodePodRecord(state::v1::PodRecord());
  for (const std::string& json :
       {std::string(), std::string("   "), std::string("{"), std::string("null"), std::string("[]"),
        std::string(100, '\0'), std::string("{\"format_version\": 1, \"state\": []}"),
        std::string("{\"format_version\": \"x\"}"), good->substr(0, good->size() - 2), std::string("\x80\xff{}"),
        std::string(100000, '['), std::string(100000, '{')}) {
    EXPECT_EQ(DecodePodRecord(json).status().code(), absl::StatusCode::kDataLoss) << json.substr(0, 100);
  }
  EXPECT_EQ(DecodePodConfig("").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(DecodePodConfig("{\"id\": 5}x").status().code(), absl::StatusCode::kDataLoss);
}

TEST(StateCodecTest, MachinesThatWaitComeBackAsTheyWereAndOnlyThose) {
  state::v1::WarmMachine machine;
  machine.set_template_key("abc");
  machine.mutable_vm()->mutable_process()->set_pid(7);
  const absl::StatusOr<std::string> json = EncodeWarmMachine(machine);
  ASSERT_TRUE(json.ok()) << json.status();
  const absl::StatusOr<state::v1::WarmMachine> read = DecodeWarmMachine(*json);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->template_key(), "abc");
  EXPECT_EQ(read->vm().process().pid(), 7);
  for (const std::string& bad : {std::string("{}"), json->substr(0, json->size() / 2), std::string()}) {
    EXPECT_EQ(DecodeWarmMachine(bad).status().code(), absl::StatusCode::kDataLoss) << bad;
  }
}

TEST(StateCodecTest, ANewerFormatIsDataLossThatSaysSo) {
  const absl::Status status = DecodePodRecord(R"({"format_version": 3})").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("format version 3; this release reads 1 to 2"));
  EXPECT_FALSE(DecodePodRecord("{}").ok());
}

}  // namespace
}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "backends/mock/mock_behavior.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include "core/status/error_detail.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;

TEST(MockBehaviorTest, UnderstandsEveryField) {
  v1::MockBehavior message;
  const auto& descriptor = *v1::MockBehavior::descriptor();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const bool duration = descriptor.field(i)->number() >= 64;
    message.GetReflection()->SetString(&message, descriptor.field(i), duration ? "3s" : "hang");
  }
  const auto behavior = ParseMockBehavior(message, "");
  ASSERT_TRUE(behavior.ok()) << behavior.status();
  EXPECT_EQ(behavior->faults.size(), static_cast<size_t>(descriptor.field_count() - 2));
  EXPECT_TRUE(behavior->faults.at(MockOperation::kDetachNetwork).hang);
  EXPECT_EQ(behavior->die_after, absl::Seconds(3));
  EXPECT_EQ(behavior->silent_after, absl::Seconds(3));
}

TEST(MockBehaviorTest, NamesTheFieldThatIsWrong) {
  v1::MockBehavior message;
  message.set_pause("hnag");
  const absl::Status status = ParseMockBehavior(message, "mock.").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("`mock.pause`: \"hnag\" is unknown; known are"));
  EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_INVALID_FIELD);
}

TEST(MockBehaviorTest, TellsMachineGuestAndNetworkApart) {
  EXPECT_FALSE(IsGuestOperation(MockOperation::kStop));
  EXPECT_TRUE(IsGuestOperation(MockOperation::kConnect));
  EXPECT_TRUE(IsGuestOperation(MockOperation::kShutdown));
  EXPECT_FALSE(IsGuestOperation(MockOperation::kAttachNetwork));
  EXPECT_EQ(MockOperationName(MockOperation::kCreateContainer), "create_container");
}

TEST(MockBehaviorTest, ReadsAnnotationsAndLeavesOthersAlone) {
  const auto behavior = ParseMockAnnotations(
      {{"vcd.mock/boot", "delay=2s"}, {"vcd.mock/silent_after", "none"}, {"org.example/boot", "whatever"}});
  ASSERT_TRUE(behavior.ok()) << behavior.status();
  EXPECT_EQ(behavior->message.boot(), "delay=2s");
  EXPECT_FALSE(behavior->silent_after.has_value());
}

TEST(MockBehaviorTest, RefusesAnnotationsNamingThem) {
  const auto problem_of = [](const std::string& key, const std::string& value) {
    const absl::Status status = ParseMockAnnotations({{key, value}}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(problem_of("vcd.mock/bot", "hang"),
              HasSubstr("`vcd.mock/bot`: is no fault of a mock pod; known are boot"));
  EXPECT_THAT(problem_of("vcd.mock/boot", "hnag"), HasSubstr("`vcd.mock/boot`: \"hnag\""));
  EXPECT_THAT(problem_of("vcd.mock/boot", ""), HasSubstr("`vcd.mock/boot`: is empty"));
  EXPECT_THAT(problem_of("vcd.mock/die_after", "x"), HasSubstr("`vcd.mock/die_after`: is \"x\""));
  EXPECT_THAT(problem_of("vcd.mock/attach_network", "hang"), HasSubstr("MockService/SetBehavior"));
}

}  // namespace
}  // namespace vcd

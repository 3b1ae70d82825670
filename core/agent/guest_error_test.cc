// SPDX-License-Identifier: Apache-2.0
#include "core/agent/guest_error.h"

#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

TEST(GuestErrorTest, NamesContainerStepAndTheGuestsWords) {
  const absl::Status status =
      GuestErrorStatus(GuestError::kCommandNotFound, {"c1", ""}, "create", "nosuch: No such file or directory");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "container c1: create: nosuch: No such file or directory");
  EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_COMMAND_NOT_FOUND);
  EXPECT_EQ(DetailOf(status)->metadata.at("container_id"), "c1");
}

TEST(GuestErrorTest, TellsAMissingProcessFromAMissingContainer) {
  EXPECT_EQ(DetailOf(GuestErrorStatus(GuestError::kNotFound, {"c1", ""}, "signal", "x"))->reason,
            v1::ERROR_REASON_CONTAINER_NOT_FOUND);
  EXPECT_EQ(DetailOf(GuestErrorStatus(GuestError::kNotFound, {"c1", "p1"}, "signal", "x"))->reason,
            v1::ERROR_REASON_PROCESS_NOT_FOUND);
}

TEST(GuestErrorTest, CleansWhatAHostileGuestWouldSayToATerminal) {
  EXPECT_EQ(CleanGuestText("a\x1b[2J\nb\x7f"), "a?[2J b?");
  EXPECT_EQ(CleanGuestText(std::string(5000, 'x')).size(), 1024 + std::string("…").size());
}

TEST(GuestErrorTest, CutsTextBetweenCharacters) { EXPECT_EQ(CleanGuestText("aä", 2), "a…"); }

TEST(GuestErrorTest, AGuestThatIsGoneIsUnavailableWithItsReason) {
  const absl::Status status = GuestGoneStatus("p1", "closed the link");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(), "guest of pod p1: closed the link");
  EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_AGENT_UNAVAILABLE);
}

}  // namespace
}  // namespace vcd

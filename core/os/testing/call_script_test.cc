// SPDX-License-Identifier: Apache-2.0
#include "core/os/testing/call_script.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "absl/time/clock.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;

class CallScriptTest : public testing::Test {
 protected:
  // How the next calls of the step end.
  std::vector<std::string> Ends(const std::string& step, int calls) {
    std::vector<std::string> ends;
    for (int i = 0; i < calls; ++i) ends.emplace_back(script_.Enter(step, "pod-1", CallContext()).message());
    return ends;
  }

  CallScript script_;
};

TEST_F(CallScriptTest, FailsTheNthCallOfTheStepOnly) {
  EXPECT_THAT(Ends("Boot", 1), ElementsAre(""));
  script_.FailNth("Boot", 2, absl::InternalError("no"));
  EXPECT_THAT(Ends("Stop", 2), ElementsAre("", ""));
  EXPECT_THAT(Ends("Boot", 3), ElementsAre("", "no", ""));
  EXPECT_THAT(script_.calls(),
              ElementsAre("Boot pod-1", "Stop pod-1", "Stop pod-1", "Boot pod-1", "Boot pod-1", "Boot pod-1"));
}

TEST_F(CallScriptTest, FaultsOfOneStepAllHappen) {
  script_.FailNth("Boot", 3, absl::InternalError("third"));
  script_.FailNth("Boot", 1, absl::InternalError("first"));
  EXPECT_THAT(Ends("Boot", 4), ElementsAre("first", "", "third", ""));
  script_.FailNth("Boot", 1, absl::InternalError("one"));
  script_.FailNth("Boot", 1, absl::InternalError("another"));
  EXPECT_THAT(Ends("Boot", 3), ElementsAre("one", "another", ""));
}

TEST_F(CallScriptTest, WhatIsForgottenDoesNotHappen) {
  script_.FailNth("Boot", 1, absl::InternalError("no"));
  script_.HangNth("Boot", 1);
  script_.ForgetFaults();
  EXPECT_THAT(Ends("Boot", 2), ElementsAre("", ""));
}

TEST_F(CallScriptTest, HangsUntilTheContextEnds) {
  script_.HangNth("Boot", 1);
  Cancellation cancellation;
  std::thread canceller([&] {
    EXPECT_TRUE(script_.WaitUntilHanging("Boot"));
    cancellation.Cancel(absl::AbortedError("preempted"));
  });
  EXPECT_EQ(script_.Enter("Boot", "", {absl::InfiniteFuture(), &cancellation}), absl::AbortedError("preempted"));
  canceller.join();
  EXPECT_THAT(script_.calls(), ElementsAre("Boot"));
}

TEST_F(CallScriptTest, HangsAsTheFakeWill) {
  script_.HangNth("Boot", 2);
  const auto hang = [this] {
    EXPECT_TRUE(script_.WaitUntilHanging("Boot"));
    return absl::UnavailableError("lost");
  };
  EXPECT_EQ(script_.Enter("Boot", "pod-1", hang), absl::OkStatus());
  EXPECT_EQ(script_.Enter("Boot", "pod-1", hang), absl::UnavailableError("lost"));
  EXPECT_EQ(script_.Enter("Boot", "pod-1", hang), absl::OkStatus());
}

}  // namespace
}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "core/os/cancellation.h"

#include <thread>

#include "absl/time/clock.h"
#include "core/os/completion.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

TEST(CancellationTest, FirstReasonStays) {
  Cancellation cancellation;
  EXPECT_TRUE(cancellation.status().ok());
  cancellation.Cancel(absl::AbortedError("first"));
  cancellation.Cancel(absl::InternalError("second"));
  EXPECT_EQ(cancellation.status(), absl::AbortedError("first"));
}

TEST(CancellationTest, SubscriptionRunsOnceAndAlsoWhenLate) {
  Cancellation cancellation;
  int early = 0, late = 0, ended = 0;
  auto subscription = cancellation.Subscribe([&] { ++early; });
  { auto gone = cancellation.Subscribe([&] { ++ended; }); }
  cancellation.Cancel(absl::AbortedError("x"));
  auto late_subscription = cancellation.Subscribe([&] { ++late; });
  EXPECT_EQ(early, 1);
  EXPECT_EQ(late, 1);
  EXPECT_EQ(ended, 0);
}

TEST(CompletionTest, WaitReturnsWhatAnotherThreadSets) {
  Completion<int> completion;
  std::thread maker([completion] { completion.Set(7); });
  EXPECT_EQ(*completion.Wait({}, "seven"), 7);
  maker.join();
}

TEST(CompletionTest, WaitEndsAtDeadlineNamingWhat) {
  Completion<int> completion;
  const absl::Status status = completion.Wait({absl::Now(), nullptr}, "the guest's answer").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("the guest's answer"));
}

TEST(CompletionTest, WaitEndsWhenCancelled) {
  Completion<int> completion;
  Cancellation cancellation;
  std::thread canceller([&] { cancellation.Cancel(absl::AbortedError("preempted")); });
  EXPECT_EQ(completion.Wait({absl::InfiniteFuture(), &cancellation}, "x").status(), absl::AbortedError("preempted"));
  canceller.join();
}

}  // namespace
}  // namespace vcd

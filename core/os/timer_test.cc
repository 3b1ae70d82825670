// SPDX-License-Identifier: Apache-2.0
#include "core/os/timer.h"

#include <memory>
#include <utility>

#include "absl/time/clock.h"
#include "core/os/completion.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

const CallContext kSoon{absl::Now() + absl::Seconds(60), nullptr};

class TimerTest : public testing::Test {
 protected:
  // Waits until everything that was posted to the I/O thread before has run.
  void Drain() {
    Completion<int> ran;
    io_.Post([ran] { ran.Set(1); });
    ASSERT_TRUE(ran.Wait(kSoon, "drain").ok());
  }
  IoThread io_;
};

TEST_F(TimerTest, FiresOnTheIoThreadNotBeforeItsTime) {
  const absl::Time when = absl::Now() + absl::Milliseconds(5);
  Completion<std::pair<bool, absl::Time>> fired;
  Timer timer(io_, when, [this, fired] { fired.Set(std::make_pair(io_.OnThread(), absl::Now())); });
  const auto result = fired.Wait(kSoon, "timer");
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->first);
  EXPECT_GE(result->second, when);
  EXPECT_FALSE(timer.Cancel());
}

TEST_F(TimerTest, APastTimeFiresAtOnce) {
  Completion<int> fired;
  Timer timer(io_, absl::InfinitePast(), [fired] { fired.Set(1); });
  EXPECT_TRUE(fired.Wait(kSoon, "timer").ok());
}

TEST_F(TimerTest, CancelledItNeverFires) {
  Completion<int> fired;
  Timer timer(io_, absl::Now() + absl::Hours(100), [fired] { fired.Set(1); });
  EXPECT_TRUE(timer.Cancel());
  EXPECT_FALSE(timer.Cancel());
  Drain();
  EXPECT_FALSE(fired.done());
}

TEST_F(TimerTest, CancellingFreesWhatTheCallbackHolds) {
  auto held = std::make_shared<int>(1);
  {
    Timer timer(io_, absl::Now() + absl::Hours(1), [held] {});
    Drain();
  }
  EXPECT_EQ(held.use_count(), 1);
}

TEST_F(TimerTest, AssigningCancelsTheOldOne) {
  Completion<int> first;
  Completion<int> second;
  Timer timer(io_, absl::Now() + absl::Hours(1), [first] { first.Set(1); });
  timer = Timer(io_, absl::Now(), [second] { second.Set(2); });
  EXPECT_TRUE(second.Wait(kSoon, "timer").ok());
  EXPECT_FALSE(first.done());
}

TEST_F(TimerTest, TheInfiniteFutureNeverComes) {
  Timer timer(io_, absl::InfiniteFuture(), [] { FAIL(); });
  EXPECT_FALSE(timer.Cancel());
}

TEST(TimerLifetimeTest, TheIoThreadMayEndWithATimerPending) {
  auto held = std::make_shared<int>(1);
  {
    IoThread io;
    Timer kept;
    kept = Timer(io, absl::Now() + absl::Hours(1), [held] {});
  }
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace vcd

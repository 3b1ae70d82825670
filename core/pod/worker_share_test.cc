// SPDX-License-Identifier: Apache-2.0
#include "core/pod/worker_share.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "core/log/testing/captured_log.h"
#include "core/os/completion.h"
#include "core/os/worker_pool.h"

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Told = Completion<std::string>;

// Two places, and more workers than that.
class WorkerShareTest : public testing::Test {
 protected:
  ~WorkerShareTest() override { work_.WaitIdle(); }

  // One that has its place until `end` is set.
  Told Hold(const Told& end) {
    Told begun;
    share_.Run("holder", absl::InfiniteFuture(), never_, [begun, end](const absl::Status& turn) {
      begun.Set(turn.ToString());
      (void)end.Wait(Soon(), "the end of one that has a place");
    });
    return begun;
  }
  Told Ask(absl::Time deadline, Cancellation& cancellation) {
    Told told;
    share_.Run("web", deadline, cancellation, [told](const absl::Status& turn) { told.Set(turn.ToString()); });
    return told;
  }
  static CallContext Soon() { return {absl::Now() + absl::Seconds(60), nullptr}; }
  static std::string Wait(const Told& told) { return told.Wait(Soon(), "the turn").value_or("none came"); }

  IoThread io_;
  WorkerPool pool_{8};
  BackgroundWork work_{pool_};
  Cancellation never_;
  WorkerShare share_{{.places = 2, .work = "are tested"}, io_, work_};
};

TEST_F(WorkerShareTest, OthersWaitInOrderUntilThereIsAPlace) {
  CapturedLog log;
  Told end_one, end_other;
  const Told one = Hold(end_one), other = Hold(end_other);
  EXPECT_EQ(Wait(one), "OK");
  EXPECT_EQ(Wait(other), "OK");
  Told end_third;
  const Told third = Hold(end_third);
  const Told last = Ask(absl::InfiniteFuture(), never_);
  EXPECT_EQ(share_.load().waiting, 2u);
  EXPECT_EQ(share_.load().running, 2u);
  EXPECT_THAT(log.lines(), testing::Contains(AllOf(HasSubstr("web"), HasSubstr("2 pods are tested"))));
  end_other.Set("");
  EXPECT_EQ(Wait(third), "OK");
  EXPECT_EQ(share_.load().waiting, 1u);
  end_third.Set("");
  EXPECT_EQ(Wait(last), "OK");
  end_one.Set("");
  work_.WaitIdle();
  EXPECT_EQ(share_.load().running, 0u);
}

TEST_F(WorkerShareTest, WhoIsCancelledOrTooLateWaitsNoLonger) {
  Told end;
  const Told one = Hold(end), other = Hold(end);
  Cancellation cancelled, before;
  before.Cancel(absl::AbortedError("before"));
  EXPECT_THAT(Wait(Ask(absl::InfiniteFuture(), before)), HasSubstr("before"));
  EXPECT_THAT(Wait(Ask(absl::InfinitePast(), never_)), AllOf(HasSubstr("DEADLINE_EXCEEDED"), HasSubstr("2 pods")));
  const Told waits = Ask(absl::InfiniteFuture(), cancelled);
  cancelled.Cancel(absl::AbortedError("with force"));
  EXPECT_THAT(Wait(waits), HasSubstr("with force"));
  EXPECT_THAT(Wait(Ask(absl::Now() + absl::Milliseconds(1), never_)), HasSubstr("DEADLINE_EXCEEDED"));
  EXPECT_EQ(share_.load().waiting, 0u);
  EXPECT_EQ(share_.load().running, 2u);
  end.Set("");
}

// One that is cancelled at the very moment at which it gets its place is told one of the two, once.
TEST_F(WorkerShareTest, CancellationMeetsAPlace) {
  for (int round = 0; round < 200; ++round) {
    Told end;
    const Told one = Hold(end), other = Hold(end);
    Wait(one);
    Wait(other);
    auto cancellation = std::make_unique<Cancellation>();
    Told told;
    share_.Run("web", absl::Now() + absl::Milliseconds(round % 3), *cancellation,
               [told](const absl::Status& turn) { told.Set(turn.ToString()); });
    end.Set("");
    cancellation->Cancel(absl::AbortedError("with force"));
    Wait(told);
    work_.WaitIdle();
    EXPECT_EQ(share_.load().running, 0u);
    EXPECT_EQ(share_.load().waiting, 0u);
  }
}

}  // namespace
}  // namespace vcd

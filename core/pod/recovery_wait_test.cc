// SPDX-License-Identifier: Apache-2.0
#include "core/pod/recovery_wait.h"

#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "core/os/completion.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class RecoveryWaitTest : public testing::Test {
 protected:
  // Notes how it ended.
  RecoveryWait::Done Note(const std::string& name) {
    return [this, name](const absl::Status& status) {
      ended_.push_back(name + " " + absl::StatusCodeToString(status.code()));
    };
  }

  IoThread io_;
  const std::shared_ptr<RecoveryWait> wait_ = std::make_shared<RecoveryWait>(io_);
  std::vector<std::string> ended_;
};

TEST_F(RecoveryWaitTest, AllGoOnInTheOrderInWhichTheyCame) {
  wait_->Add(absl::InfiniteFuture(), Note("one"));
  wait_->Add(absl::InfiniteFuture(), Note("two"));
  EXPECT_THAT(ended_, IsEmpty());
  EXPECT_EQ(wait_->size(), 2u);
  wait_->End(absl::OkStatus());
  EXPECT_THAT(ended_, ElementsAre("one OK", "two OK"));
  EXPECT_EQ(wait_->size(), 0u);
}

TEST_F(RecoveryWaitTest, WhoComesAfterTheEndDoesNotWait) {
  wait_->End(absl::OkStatus());
  wait_->End(absl::AbortedError("too late"));
  wait_->Add(absl::InfinitePast(), Note("one"));
  EXPECT_THAT(ended_, ElementsAre("one OK"));
}

TEST_F(RecoveryWaitTest, AnEndThatIsAFailureIsToldToAll) {
  wait_->Add(absl::InfiniteFuture(), Note("one"));
  wait_->End(absl::AbortedError("forced"));
  wait_->Add(absl::InfiniteFuture(), Note("two"));
  EXPECT_THAT(ended_, ElementsAre("one ABORTED", "two ABORTED"));
}

TEST_F(RecoveryWaitTest, ADeadlineEndsTheWaitOfOneAndNotOfOthers) {
  wait_->Add(absl::InfiniteFuture(), Note("patient"));
  const Completion<bool> late;
  wait_->Add(absl::InfinitePast(), [late](const absl::Status& status) { late.Set(absl::IsDeadlineExceeded(status)); });
  const absl::StatusOr<bool> expired = late.Wait({absl::Now() + absl::Seconds(30), nullptr}, "the deadline");
  ASSERT_TRUE(expired.ok()) << expired.status();
  EXPECT_TRUE(*expired);
  EXPECT_EQ(wait_->size(), 1u);
  wait_->End(absl::OkStatus());
  EXPECT_THAT(ended_, ElementsAre("patient OK"));
}

TEST_F(RecoveryWaitTest, ADoneMayAskAgain) {
  wait_->Add(absl::InfiniteFuture(),
             [this](const absl::Status&) { wait_->Add(absl::InfiniteFuture(), Note("again")); });
  wait_->End(absl::OkStatus());
  EXPECT_THAT(ended_, ElementsAre("again OK"));
}

}  // namespace
}  // namespace vcd

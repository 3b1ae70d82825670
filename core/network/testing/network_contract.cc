// SPDX-License-Identifier: Apache-2.0
#include "core/network/testing/network_contract.h"

#include "absl/time/clock.h"
#include "gmock/gmock.h"

namespace vcd {
namespace {

// Fakes and backends that nobody instantiates in this binary are no error.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(NetworkContract);

CallContext Soon() { return {absl::Now() + absl::Minutes(1), nullptr}; }

TEST_P(NetworkContract, TakesItsConfigurationAndChangesNothingByChecking) {
  EXPECT_TRUE(network_->Check(GetParam().accepted).ok());
  EXPECT_TRUE(network_->Check(GetParam().accepted).ok());
}

TEST_P(NetworkContract, WhatWasAttachedIsDetachedAndAttachedAgain) {
  for (int i = 0; i < 2; ++i) {
    const absl::StatusOr<NetworkPlan> plan = network_->Attach("web", GetParam().accepted, Soon());
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_TRUE(network_->Detach("web", GetParam().accepted, Soon()).ok());
  }
}

TEST_P(NetworkContract, DetachIsIdempotentAlsoForPodsNeverSeen) {
  EXPECT_TRUE(network_->Detach("never", GetParam().accepted, Soon()).ok());
  ASSERT_TRUE(network_->Attach("web", GetParam().accepted, Soon()).ok());
  EXPECT_TRUE(network_->Detach("web", GetParam().accepted, Soon()).ok());
  EXPECT_TRUE(network_->Detach("web", GetParam().accepted, Soon()).ok());
}

TEST_P(NetworkContract, PodsDoNotDisturbEachOther) {
  ASSERT_TRUE(network_->Attach("a", GetParam().accepted, Soon()).ok());
  ASSERT_TRUE(network_->Attach("b", GetParam().accepted, Soon()).ok());
  EXPECT_TRUE(network_->Detach("a", GetParam().accepted, Soon()).ok());
  EXPECT_TRUE(network_->Detach("b", GetParam().accepted, Soon()).ok());
}

TEST_P(NetworkContract, AttachHonoursDeadlineAndCancellation) {
  EXPECT_EQ(network_->Attach("web", GetParam().accepted, {absl::InfinitePast(), nullptr}).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  Cancellation cancellation;
  cancellation.Cancel(absl::AbortedError("forced"));
  EXPECT_EQ(network_->Attach("web", GetParam().accepted, {absl::InfiniteFuture(), &cancellation}).status().code(),
            absl::StatusCode::kAborted);
  EXPECT_TRUE(network_->Detach("web", GetParam().accepted, Soon()).ok());
}

}  // namespace
}  // namespace vcd

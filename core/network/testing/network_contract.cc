// SPDX-License-Identifier: Apache-2.0
#include "core/network/testing/network_contract.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"

namespace vcd {
namespace {

// Fakes and backends that nobody instantiates in this binary are no error.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(NetworkContract);

CallContext Soon() { return {absl::Now() + absl::Minutes(1), nullptr}; }

}  // namespace

NetworkPod NetworkContract::Of(const std::string& pod_id) const {
  NetworkPod pod;
  pod.pod_id = pod_id;
  pod.config = GetParam().accepted;
  pod.run_dir = absl::StrCat(directory_.path(), "/run/", pod_id);
  pod.state_dir = absl::StrCat(directory_.path(), "/state/", pod_id);
  std::filesystem::create_directories(pod.run_dir);
  std::filesystem::create_directories(pod.state_dir);
  return pod;
}

namespace {

TEST_P(NetworkContract, TakesItsConfigurationAndChangesNothingByChecking) {
  EXPECT_TRUE(network_->Check(GetParam().accepted).ok());
  EXPECT_TRUE(network_->Check(GetParam().accepted).ok());
}

TEST_P(NetworkContract, WhatWasAttachedIsDetachedAndAttachedAgain) {
  for (int i = 0; i < 2; ++i) {
    const absl::StatusOr<std::string> netns_path = network_->Open(Of("web"), Soon());
    ASSERT_TRUE(netns_path.ok()) << netns_path.status();
    const absl::StatusOr<NetworkPlan> plan = network_->Attach(Of("web"), Soon());
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_EQ(plan->netns_path, *netns_path);
    EXPECT_TRUE(network_->Detach(Of("web"), Soon()).ok());
  }
}

TEST_P(NetworkContract, DetachIsIdempotentAlsoForPodsNeverSeen) {
  EXPECT_TRUE(network_->Detach(Of("never"), Soon()).ok());
  ASSERT_TRUE(network_->Open(Of("web"), Soon()).ok());
  ASSERT_TRUE(network_->Attach(Of("web"), Soon()).ok());
  EXPECT_TRUE(network_->Detach(Of("web"), Soon()).ok());
  EXPECT_TRUE(network_->Detach(Of("web"), Soon()).ok());
}

TEST_P(NetworkContract, PodsDoNotDisturbEachOther) {
  ASSERT_TRUE(network_->Open(Of("a"), Soon()).ok());
  ASSERT_TRUE(network_->Attach(Of("a"), Soon()).ok());
  ASSERT_TRUE(network_->Open(Of("b"), Soon()).ok());
  ASSERT_TRUE(network_->Attach(Of("b"), Soon()).ok());
  EXPECT_TRUE(network_->Detach(Of("a"), Soon()).ok());
  EXPECT_TRUE(network_->Detach(Of("b"), Soon()).ok());
}

TEST_P(NetworkContract, WhatWasOnlyOpenedIsDetached) {
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(network_->Open(Of("web"), Soon()).ok());
    EXPECT_TRUE(network_->Detach(Of("web"), Soon()).ok());
  }
}

TEST_P(NetworkContract, HonoursDeadlineAndCancellation) {
  const CallContext late{absl::InfinitePast(), nullptr};
  Cancellation cancellation;
  cancellation.Cancel(absl::AbortedError("forced"));
  const CallContext cancelled{absl::InfiniteFuture(), &cancellation};
  EXPECT_EQ(network_->Open(Of("web"), late).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(network_->Open(Of("web"), cancelled).status().code(), absl::StatusCode::kAborted);
  ASSERT_TRUE(network_->Open(Of("web"), Soon()).ok());
  EXPECT_EQ(network_->Attach(Of("web"), late).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(network_->Attach(Of("web"), cancelled).status().code(), absl::StatusCode::kAborted);
  EXPECT_TRUE(network_->Detach(Of("web"), Soon()).ok());
}

}  // namespace
}  // namespace vcd

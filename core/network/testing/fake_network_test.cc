// SPDX-License-Identifier: Apache-2.0
#include "core/network/testing/fake_network.h"

#include "core/network/testing/network_contract.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

INSTANTIATE_TEST_SUITE_P(Fake, NetworkContract,
                         testing::Values(NetworkContractParams{"Fake", [] { return std::make_unique<FakeNetwork>(); },
                                                               v1::NetworkConfig()}),
                         NetworkContractName);

TEST(FakeNetworkTest, FailsAsToldAndThenWorks) {
  FakeNetwork network;
  network.FailCheck(absl::InvalidArgumentError("x"));
  network.FailOpen(absl::PermissionDeniedError("x"));
  network.FailAttach(absl::ResourceExhaustedError("x"));
  network.FailDetach(absl::InternalError("x"));
  NetworkPod web;
  web.pod_id = "web";
  EXPECT_FALSE(network.Check({}).ok());
  EXPECT_TRUE(network.Check({}).ok());
  EXPECT_FALSE(network.Open(web, {}).ok());
  EXPECT_THAT(network.attached(), IsEmpty());
  EXPECT_TRUE(network.Open(web, {}).ok());
  EXPECT_FALSE(network.Attach(web, {}).ok());
  EXPECT_TRUE(network.Attach(web, {}).ok());
  EXPECT_FALSE(network.Detach(web, {}).ok());
  EXPECT_THAT(network.attached(), ElementsAre("web"));
  EXPECT_TRUE(network.Detach(web, {}).ok());
  EXPECT_THAT(network.attached(), IsEmpty());
  EXPECT_THAT(network.calls(),
              ElementsAre("Open web", "Open web", "Attach web", "Attach web", "Detach web", "Detach web"));
}

}  // namespace
}  // namespace vcd

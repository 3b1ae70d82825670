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

TEST(FakeNetworkTest, HasInterfacesAsPlannedAndAdded) {
  FakeNetwork network;
  v1::PodInterface eth0;
  eth0.set_name("eth0");
  eth0.set_mac("02:00:5e:00:53:01");
  network.SetPlan({eth0});
  NetworkPod web;
  web.pod_id = "web";
  ASSERT_TRUE(network.Open(web, {}).ok());
  const absl::StatusOr<NetworkPlan> plan = network.Attach(web, {});
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_EQ(plan->interfaces.size(), 1u);
  EXPECT_EQ(plan->interfaces[0].nic.taps.size(), 1u);
  v1::CniNetwork lan;
  lan.set_interface_name("eth1");
  EXPECT_TRUE(network.AddInterface(web, lan, {}).ok());
  EXPECT_EQ(network.AddInterface(web, lan, {}).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(network.interfaces("web"), ElementsAre("eth0", "eth1"));
  EXPECT_TRUE(network.RemoveInterface(web, "eth1", {}).ok());
  EXPECT_TRUE(network.RemoveInterface(web, "eth1", {}).ok());
  EXPECT_THAT(network.interfaces("web"), ElementsAre("eth0"));
  network.FailVerify(absl::NotFoundError("x"));
  EXPECT_FALSE(network.Verify(web, {}).ok());
  EXPECT_TRUE(network.Verify(web, {}).ok());
}

}  // namespace
}  // namespace vcd

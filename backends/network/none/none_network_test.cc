// SPDX-License-Identifier: Apache-2.0
#include "backends/network/none/none_network.h"

#include "core/network/testing/network_contract.h"
#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

INSTANTIATE_TEST_SUITE_P(None, NetworkContract,
                         testing::Values(NetworkContractParams{"None", [] { return std::make_unique<NoneNetwork>(); },
                                                               v1::NetworkConfig()}),
                         NetworkContractName);

TEST(NoneNetworkTest, RefusesAWishForAnotherNetworkNamingTheField) {
  NoneNetwork network;
  NetworkPod pod;
  pod.pod_id = "web";
  pod.config.set_netns_path("/run/netns/x");
  const absl::Status status = network.Check(pod.config);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(DetailOf(status)->metadata.at("field"), "config.network_config.netns_path");
  EXPECT_FALSE(network.Open(pod, CallContext()).ok());
  pod.config.Clear();
  pod.config.add_networks()->set_name("lan");
  EXPECT_EQ(DetailOf(network.Check(pod.config))->metadata.at("field"), "config.network_config.networks");
}

TEST(NoneNetworkTest, SaysHowAPodGetsInterfaces) {
  NoneNetwork network;
  v1::CniNetwork lan;
  lan.set_name("lan");
  const absl::Status status = network.AddInterface(NetworkPod(), lan, CallContext()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_NETWORK);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("made without a network"));
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("--network lan`"));
}

TEST(NoneNetworkTest, HasNoNamespace) {
  NoneNetwork network;
  EXPECT_EQ(*network.Open(NetworkPod(), CallContext()), "");
  EXPECT_EQ(network.Attach(NetworkPod(), CallContext())->netns_path, "");
}

}  // namespace
}  // namespace vcd

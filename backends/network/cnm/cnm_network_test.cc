// SPDX-License-Identifier: Apache-2.0
#include "backends/network/cnm/cnm_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>

#include "core/network/testing/network_contract.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

// Namespaces are root's to make.
std::vector<NetworkContractParams> Params() {
  if (geteuid() != 0) return {};
  return {{"Cnm", [] { return std::make_unique<CnmNetwork>(PodEndpoints::Options()); }, v1::NetworkConfig()}};
}

INSTANTIATE_TEST_SUITE_P(Cnm, NetworkContract, testing::ValuesIn(Params()), NetworkContractName);

TEST(CnmNetworkTest, RefusesWhatIsForOthersNamingTheField) {
  const CnmNetwork network{PodEndpoints::Options()};
  v1::NetworkConfig config;
  config.add_networks();
  EXPECT_EQ(DetailOf(network.Check(config))->metadata.at("field"), "config.network_config.networks[0].interface_name");
  config.mutable_networks(0)->set_interface_name("eth0");
  EXPECT_EQ(network.Check(config), absl::OkStatus());
  config.mutable_networks(0)->set_name("lan");
  EXPECT_EQ(DetailOf(network.Check(config))->metadata.at("field"), "config.network_config.networks[0]");
  config.clear_networks();
  v1::CniNetwork lan;
  lan.set_name("lan");
  lan.set_interface_name("eth1");
  const absl::Status added =
      CnmNetwork(PodEndpoints::Options()).AddInterface(NetworkPod(), lan, CallContext()).status();
  EXPECT_EQ(DetailOf(added)->metadata.at("field"), "network");
  EXPECT_THAT(std::string(added.message()),
              testing::HasSubstr("joins interfaces that are in the pod's namespace, and makes none"));
  EXPECT_FALSE(network.has_default());
  config.set_netns_path("run/netns/x");
  EXPECT_EQ(DetailOf(network.Check(config))->metadata.at("field"), "config.network_config.netns_path");
  config.set_netns_path("/run/netns/x");
  config.set_netns_pid(1);
  EXPECT_EQ(DetailOf(network.Check(config))->metadata.at("field"), "config.network_config.netns_pid");
}

}  // namespace
}  // namespace vcd

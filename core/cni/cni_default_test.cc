// SPDX-License-Identifier: Apache-2.0
#include "core/cni/cni_default.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;

TEST(DefaultCniNetworkTest, IsWhatAFileOfTheSameContentWouldBe) {
  CniDefaultOptions options;
  options.addresses_dir = "/var/lib/vcd/cni/ipam";
  const CniConfiguration network = DefaultCniNetwork(options);
  const absl::StatusOr<CniConfiguration> read = ParseCniConfiguration(CniText(network.ToJson()), network.source);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->name, "default");
  EXPECT_EQ(read->version, network.version);
  EXPECT_TRUE(read->check);
  EXPECT_EQ(read->ToJson(), network.ToJson());
  EXPECT_EQ(read->Programs(), network.Programs());
  EXPECT_THAT(network.Programs(), ElementsAre("bridge", "host-local", "portmap", "firewall"));
  for (const char* capability : {"portMappings", "ips", "mac"}) {
    EXPECT_TRUE(network.Can(capability)) << capability;
    EXPECT_TRUE(read->Can(capability)) << capability;
  }
  EXPECT_FALSE(network.Can("bandwidth"));
}

TEST(DefaultCniNetworkTest, HasAddressesAndADefaultRouteOfEachFamilyThatIsAskedFor) {
  CniDefaultOptions options;
  options.subnet6 = "";
  options.bridge = "br7";
  const CniJson bridge = DefaultCniNetwork(options).plugins[0].document;
  EXPECT_EQ(bridge["bridge"], "br7");
  EXPECT_EQ(CniText(bridge["ipam"]["ranges"]), R"([[{"subnet":"10.213.0.0/16"}]])");
  EXPECT_EQ(CniText(bridge["ipam"]["routes"]), R"([{"dst":"0.0.0.0/0"}])");
  options.subnet6 = "fd00::/64";
  const CniJson both = DefaultCniNetwork(options).plugins[0].document;
  EXPECT_EQ(CniText(both["ipam"]["ranges"]), R"([[{"subnet":"10.213.0.0/16"}],[{"subnet":"fd00::/64"}]])");
  EXPECT_EQ(CniText(both["ipam"]["routes"]), R"([{"dst":"0.0.0.0/0"},{"dst":"::/0"}])");
}

}  // namespace
}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "core/network/interface_names.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;

TEST(NamedNetworksTest, EachHasTheFirstNameThatIsFree) {
  const auto names = [](const v1::NetworkConfig& config) {
    std::vector<std::string> names;
    for (const v1::CniNetwork& network : NamedNetworks(config)) names.push_back(network.interface_name());
    return names;
  };
  v1::NetworkConfig config;
  EXPECT_THAT(names(config), ElementsAre("eth0")) << "none is one";
  config.add_networks();
  config.add_networks()->set_interface_name("eth0");
  config.add_networks();
  EXPECT_THAT(names(config), ElementsAre("eth1", "eth0", "eth2"));
}

TEST(InterfaceNamesTest, WhatCannotBeANameIsRefusedByField) {
  EXPECT_EQ(CheckInterfaceName("f", "eth0.100"), absl::OkStatus());
  for (const char* name : {"", ".", "..", "lo", "a/b", "a:1", "a b", "sixteen-bytes-01"}) {
    const absl::Status status = CheckInterfaceName("f", name);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr("`f`")) << name;
  }
}

}  // namespace
}  // namespace vcd

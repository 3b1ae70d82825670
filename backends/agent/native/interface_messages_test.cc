// SPDX-License-Identifier: Apache-2.0
#include "backends/agent/native/interface_messages.h"

#include <functional>
#include <vector>

#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

v1::PodInterface Good() {
  v1::PodInterface interface;
  interface.set_name("eth0");
  interface.set_mac("02:af:10:03:04:05");
  interface.set_mtu(1400);
  interface.add_addresses("10.88.0.7/16");
  interface.add_addresses("fd00::7/64");
  v1::Route* route = interface.add_routes();
  route->set_destination("10.1.2.3/8");
  route->set_scope("link");
  route->set_source("10.88.0.7");
  route->set_metric(5);
  route->set_mtu(1300);
  interface.add_routes()->set_gateway("10.88.0.1");
  interface.mutable_routes(1)->set_onlink(true);
  interface.add_routes()->set_gateway("fd00::1");
  interface.add_routes()->set_ipv6(true);
  interface.add_neighbors()->set_ip("10.88.0.1");
  interface.mutable_neighbors(0)->set_mac("02:00:00:00:00:02");
  return interface;
}

TEST(InterfaceMessagesTest, SaysAllOfAnInterface) {
  const absl::StatusOr<agent::v1::SetInterface> message = ToAgentInterface(Good());
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(message->mac(), "\x02\xaf\x10\x03\x04\x05");
  EXPECT_EQ(message->name(), "eth0");
  EXPECT_EQ(message->mtu(), 1400u);
  ASSERT_EQ(message->addresses_size(), 2);
  EXPECT_EQ(message->addresses(0).address(), std::string("\x0a\x58\x00\x07", 4));
  EXPECT_EQ(message->addresses(0).prefix_length(), 16u);
  EXPECT_EQ(message->addresses(1).address(), "\xfd" + std::string(14, '\0') + "\x07");
  ASSERT_EQ(message->routes_size(), 4);
  EXPECT_EQ(message->routes(0).destination(), std::string("\x0a\0\0\0", 4)) << "without what is behind the prefix";
  EXPECT_EQ(message->routes(0).prefix_length(), 8u);
  EXPECT_EQ(message->routes(0).scope(), 253u);
  EXPECT_EQ(message->routes(0).source(), std::string("\x0a\x58\x00\x07", 4));
  EXPECT_EQ(message->routes(0).metric(), 5u);
  EXPECT_EQ(message->routes(0).mtu(), 1300u);
  EXPECT_EQ(message->routes(1).destination(), std::string(4, '\0'));
  EXPECT_EQ(message->routes(1).gateway(), std::string("\x0a\x58\x00\x01", 4));
  EXPECT_TRUE(message->routes(1).onlink());
  EXPECT_EQ(message->routes(2).destination(), std::string(16, '\0')) << "of the gateway's family";
  EXPECT_EQ(message->routes(3).destination(), std::string(16, '\0'));
  ASSERT_EQ(message->neighbors_size(), 1);
  EXPECT_EQ(message->neighbors(0).mac(), std::string("\x02\0\0\0\0\x02", 6));
}

struct Case {
  const char* field;
  std::function<void(v1::PodInterface&)> spoil;
};

TEST(InterfaceMessagesTest, NamesTheFieldThatMakesNoSense) {
  const std::vector<Case> cases = {
      {"interface.mac", [](v1::PodInterface& it) { it.set_mac("02:af:10:03:04"); }},
      {"interface.mac", [](v1::PodInterface& it) { it.set_mac("02:af:10:03:04:0g"); }},
      {"interface.mac", [](v1::PodInterface& it) { it.set_mac("02:af:10:03:04:05:06"); }},
      {"interface.mac", [](v1::PodInterface& it) { it.set_mac("02-af-10-03-04-05"); }},
      {"interface.mac", [](v1::PodInterface& it) { it.set_mac("02:af:10:03:04:05:"); }},
      {"interface.addresses[0]", [](v1::PodInterface& it) { it.set_addresses(0, "10.88.0.7"); }},
      {"interface.addresses[0]", [](v1::PodInterface& it) { it.set_addresses(0, "10.88.0.7/33"); }},
      {"interface.addresses[1]", [](v1::PodInterface& it) { it.set_addresses(1, "fd00:::7/64"); }},
      {"interface.routes[0].destination", [](v1::PodInterface& it) { it.mutable_routes(0)->set_destination("x/8"); }},
      {"interface.routes[0].scope", [](v1::PodInterface& it) { it.mutable_routes(0)->set_scope("site"); }},
      {"interface.routes[1].gateway", [](v1::PodInterface& it) { it.mutable_routes(1)->set_gateway("gw"); }},
      {"interface.routes[0].source", [](v1::PodInterface& it) { it.mutable_routes(0)->set_source("10.88"); }},
      {"interface.routes[0]", [](v1::PodInterface& it) { it.mutable_routes(0)->set_source("fd00::7"); }},
      {"interface.neighbors[0].ip", [](v1::PodInterface& it) { it.mutable_neighbors(0)->set_ip(""); }},
      {"interface.neighbors[0].mac", [](v1::PodInterface& it) { it.mutable_neighbors(0)->set_mac(""); }},
  };
  for (const Case& wrong : cases) {
    v1::PodInterface interface = Good();
    wrong.spoil(interface);
    const absl::Status status = ToAgentInterface(interface).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << wrong.field;
    ASSERT_TRUE(DetailOf(status).has_value()) << wrong.field;
    EXPECT_EQ(DetailOf(status)->metadata.at("field"), wrong.field);
  }
}

TEST(InterfaceMessagesTest, ChecksWhereToConnect) {
  EXPECT_EQ(CheckDial({"", 80}), absl::OkStatus());
  EXPECT_EQ(CheckDial({"::1", 65535}), absl::OkStatus());
  EXPECT_EQ(DetailOf(CheckDial({"", 0}))->metadata.at("field"), "port");
  EXPECT_EQ(DetailOf(CheckDial({"localhost", 80}))->metadata.at("field"), "address");
}

}  // namespace
}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/interface_check.h"

#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::guest {
namespace {

using ::testing::HasSubstr;
using ::vcd::agent::v1::SetInterface;

const std::string kV4("\x0a\x58\x00\x07", 4);
const std::string kV6 = "\xfd" + std::string(14, '\0') + "\x07";

SetInterface Good() {
  SetInterface request;
  request.set_mac("\x02\x01\x02\x03\x04\x05");
  request.set_name("eth0");
  request.set_mtu(1500);
  for (const std::string& address : {kV4, kV6}) {
    request.add_addresses()->set_address(address);
    request.mutable_addresses()->rbegin()->set_prefix_length(24);
  }
  request.add_routes()->set_destination(std::string(4, '\0'));
  request.mutable_routes(0)->set_gateway(kV4);
  request.add_neighbors()->set_address(kV4);
  request.mutable_neighbors(0)->set_mac("\x02\x01\x02\x03\x04\x06");
  return request;
}

struct Case {
  const char* words;
  std::function<void(SetInterface&)> spoil;
};

TEST(InterfaceCheckTest, TakesWhatTheKernelTakes) {
  EXPECT_TRUE(CheckInterface(Good()).ok()) << CheckInterface(Good()).message();
  SetInterface request = Good();
  request.set_name("fifteen-letters");
  EXPECT_TRUE(CheckInterface(request).ok());
}

TEST(InterfaceCheckTest, RefusesTheRestNamingIt) {
  const Case cases[] = {
      {"six bytes", [](SetInterface& request) { request.set_mac("12345"); }},
      {"\"\"", [](SetInterface& request) { request.clear_name(); }},
      {"a/b", [](SetInterface& request) { request.set_name("a/b"); }},
      {"sixteen-letters!", [](SetInterface& request) { request.set_name("sixteen-letters!"); }},
      {"a b", [](SetInterface& request) { request.set_name("a b"); }},
      {"\"..\"", [](SetInterface& request) { request.set_name(".."); }},
      {"\"lo\"", [](SetInterface& request) { request.set_name("lo"); }},
      {"MTU of 65536", [](SetInterface& request) { request.set_mtu(65536); }},
      {"eth0: an address", [](SetInterface& request) { request.mutable_addresses(0)->set_address("12345"); }},
      {"10.88.0.7 is too long", [](SetInterface& request) { request.mutable_addresses(0)->set_prefix_length(33); }},
      {"fd00::7 is too long", [](SetInterface& request) { request.mutable_addresses(1)->set_prefix_length(129); }},
      {"of a neighbour has 4 or 16", [](SetInterface& request) { request.mutable_neighbors(0)->set_address(""); }},
      {"of a neighbour has six", [](SetInterface& request) { request.mutable_neighbors(0)->set_mac(""); }},
      {"destination of a route", [](SetInterface& request) { request.mutable_routes(0)->clear_destination(); }},
      {"0.0.0.0: its prefix", [](SetInterface& request) { request.mutable_routes(0)->set_prefix_length(33); }},
      {"mixes families", [](SetInterface& request) { request.mutable_routes(0)->set_gateway(kV6); }},
      {"mixes families", [](SetInterface& request) { request.mutable_routes(0)->set_source(kV6); }},
      {"scope 256", [](SetInterface& request) { request.mutable_routes(0)->set_scope(256); }},
  };
  for (const Case& wrong : cases) {
    SetInterface request = Good();
    wrong.spoil(request);
    const Outcome checked = CheckInterface(request);
    EXPECT_EQ(checked.code(), ErrorCode::ERROR_CODE_INVALID) << wrong.words;
    EXPECT_THAT(checked.message(), HasSubstr(wrong.words));
  }
}

TEST(InterfaceCheckTest, WritesAddresses) {
  EXPECT_EQ(AddressText(kV4), "10.88.0.7");
  EXPECT_EQ(AddressText(kV6), "fd00::7");
  EXPECT_EQ(MacText("\x02\xaf\x10\x03\x04\x05"), "02:af:10:03:04:05");
}

}  // namespace
}  // namespace vcd::guest

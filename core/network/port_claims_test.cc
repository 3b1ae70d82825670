// SPDX-License-Identifier: Apache-2.0
#include "core/network/port_claims.h"

#include <string>

#include "absl/strings/match.h"
#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::HasSubstr;

v1::NetworkConfig Publishes(uint32_t port, const std::string& protocol = "", const std::string& address = "") {
  v1::NetworkConfig config;
  v1::PortMapping& mapping = *config.add_networks()->add_port_mappings();
  mapping.set_host_port(port);
  mapping.set_container_port(80);
  mapping.set_protocol(protocol);
  mapping.set_host_ip(address);
  return config;
}

struct Pair {
  const char* name;
  v1::NetworkConfig first;
  v1::NetworkConfig second;
  bool conflict;
};

class PortPairTest : public testing::TestWithParam<Pair> {};

TEST_P(PortPairTest, IsOfOnePodOrOfTwo) {
  const Pair& pair = GetParam();
  for (const bool turned : {false, true}) {
    PortClaims claims;
    ASSERT_TRUE(claims.Take("web", turned ? pair.second : pair.first).ok());
    const absl::Status taken = claims.Take("db", turned ? pair.first : pair.second);
    EXPECT_EQ(taken.code(), pair.conflict ? absl::StatusCode::kFailedPrecondition : absl::StatusCode::kOk) << taken;
    EXPECT_EQ(absl::StrContains(taken.message(), "is published by pod web already"), pair.conflict) << taken;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Ports, PortPairTest,
    testing::Values(Pair{"Same", Publishes(80), Publishes(80), true},
                    Pair{"Others", Publishes(80), Publishes(81), false},
                    Pair{"NamedDefault", Publishes(80), Publishes(80, "tcp"), true},
                    Pair{"Protocols", Publishes(80, "tcp"), Publishes(80, "udp"), false},
                    Pair{"AllAndOne", Publishes(80), Publishes(80, "", "127.0.0.1"), true},
                    Pair{"AnyAndOne", Publishes(80, "", "0.0.0.0"), Publishes(80, "", "127.0.0.1"), true},
                    Pair{"TwoAddresses", Publishes(80, "", "127.0.0.2"), Publishes(80, "", "127.0.0.1"), false},
                    Pair{"Families", Publishes(80, "", "0.0.0.0"), Publishes(80, "", "::1"), false},
                    Pair{"AnyOfBoth", Publishes(80, "", "0.0.0.0"), Publishes(80, "", "::"), false},
                    Pair{"SpelledTwice", Publishes(80, "", "::1"), Publishes(80, "", "0:0:0:0:0:0:0:1"), true},
                    Pair{"Mapped", Publishes(80, "", "::ffff:127.0.0.1"), Publishes(80, "", "127.0.0.1"), true}),
    [](const testing::TestParamInfo<Pair>& info) { return info.param.name; });

TEST(PortClaimsTest, OneThatIsRefusedKeepsWhatItHad) {
  PortClaims claims;
  ASSERT_TRUE(claims.Take("web", Publishes(80)).ok());
  ASSERT_TRUE(claims.Take("db", Publishes(81)).ok());
  v1::NetworkConfig both = Publishes(82);
  *both.add_networks() = Publishes(80, "", "10.0.0.1").networks(0);
  const absl::Status taken = claims.Take("db", both);
  EXPECT_THAT(taken.message(), HasSubstr("port 80/tcp at 10.0.0.1 of the host"));
  EXPECT_EQ(DetailOf(taken)->reason, v1::ERROR_REASON_NETWORK);
  EXPECT_EQ(DetailOf(taken)->metadata.at("holder"), "web");
  EXPECT_TRUE(claims.Take("cache", Publishes(82)).ok());
  EXPECT_FALSE(claims.Take("cache", Publishes(81)).ok());
}

TEST(PortClaimsTest, WhatIsGivenBackOrNoLongerAskedForIsFree) {
  PortClaims claims;
  ASSERT_TRUE(claims.Take("web", Publishes(80)).ok());
  EXPECT_TRUE(claims.Take("web", Publishes(80)).ok()) << "it is its own";
  EXPECT_TRUE(claims.Take("web", Publishes(81)).ok());
  EXPECT_TRUE(claims.Take("db", Publishes(80)).ok());
  claims.Release("web");
  claims.Release("web");
  EXPECT_TRUE(claims.Take("db", Publishes(81)).ok());
  EXPECT_TRUE(claims.Take("db", {}).ok());
  EXPECT_TRUE(claims.Take("web", Publishes(81)).ok());
}

}  // namespace
}  // namespace vcd

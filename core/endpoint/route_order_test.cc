// SPDX-License-Identifier: Apache-2.0
#include "core/endpoint/route_order.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

LinkRoute Via(const std::string& destination, const std::string& gateway) {
  LinkRoute route;
  route.route.set_destination(destination);
  route.route.set_gateway(gateway);
  return route;
}

std::vector<std::string> Ordered(const std::vector<std::string>& addresses, std::vector<LinkRoute> routes) {
  OrderRoutes(addresses, routes);
  std::vector<std::string> texts;
  for (const LinkRoute& route : routes) {
    texts.push_back(absl::StrCat(route.route.destination(), " via ", route.route.gateway()));
  }
  return texts;
}

TEST(RouteOrderTest, LinkThenGatewaysThenDefaults) {
  EXPECT_THAT(
      Ordered({"10.88.0.7/16"}, {Via("", "10.88.0.1"), Via("192.0.2.0/24", "10.88.0.2"), Via("10.9.0.0/16", "")}),
      ElementsAre("10.9.0.0/16 via ", "192.0.2.0/24 via 10.88.0.2", " via 10.88.0.1"));
}

TEST(RouteOrderTest, AGatewayComesAfterTheRouteThatReachesIt) {
  // As clouds do: the address stands alone, and a route of the link leads to the gateway.
  EXPECT_THAT(Ordered({"10.0.0.5/32"}, {Via("", "10.0.0.1"), Via("10.0.0.1/32", "")}),
              ElementsAre("10.0.0.1/32 via ", " via 10.0.0.1"));
  // Reachable by a default that is on the link only.
  EXPECT_THAT(Ordered({"10.0.0.5/32"}, {Via("192.0.2.0/24", "203.0.113.1"), Via("", "")}),
              ElementsAre(" via ", "192.0.2.0/24 via 203.0.113.1"));
}

TEST(RouteOrderTest, AGatewayThatIsSaidToBeOnTheLinkNeedsNothing) {
  LinkRoute onlink = Via("192.0.2.0/24", "203.0.113.1");
  onlink.route.set_onlink(true);
  EXPECT_THAT(Ordered({}, {Via("198.51.100.0/24", "203.0.113.9"), onlink}),
              ElementsAre("192.0.2.0/24 via 203.0.113.1", "198.51.100.0/24 via 203.0.113.9"));
}

TEST(RouteOrderTest, FamiliesDoNotReachEachOther) {
  EXPECT_THAT(Ordered({"fd00::7/64"}, {Via("2001:db8::/32", "fd01::1"), Via("", "fd00::1"), Via("", "fe80::1")}),
              ElementsAre(" via fd00::1", " via fe80::1", "2001:db8::/32 via fd01::1"));
  LinkRoute all6 = Via("", "");
  all6.route.set_ipv6(true);
  EXPECT_THAT(Ordered({}, {Via("192.0.2.0/24", "10.0.0.1"), Via("fd01::/64", "fd02::1"), all6}),
              ElementsAre(" via ", "fd01::/64 via fd02::1", "192.0.2.0/24 via 10.0.0.1"));
}

TEST(RouteOrderTest, EqualsStayAsTheyWereAndNonsenseIsKept) {
  EXPECT_THAT(Ordered({"10.88.0.7/16"}, {Via("c", ""), Via("b", ""), Via("d", "nowhere")}),
              ElementsAre("c via ", "b via ", "d via nowhere"));
  EXPECT_THAT(Ordered({"nothing/99"}, {}), IsEmpty());
}

}  // namespace
}  // namespace vcd

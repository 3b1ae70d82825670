// SPDX-License-Identifier: Apache-2.0
// Interfaces of a network namespace that the test makes for itself, by pairs of veth. Needs root.
#include "guest/agent/interfaces.h"

#include <sched.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "guest/agent/rtnetlink.h"

namespace vcd::guest {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::vcd::agent::v1::RemoveInterface;
using ::vcd::agent::v1::SetInterface;

const std::string kMac("\x02\x00\x00\x00\x00\x01", 6);
const std::string kOtherMac("\x02\x00\x00\x00\x00\x02", 6);
constexpr char kMakePair[] =
    "ip link add kernel0 address 02:00:00:00:00:01 type veth peer name far0 && ip link set far0 up";

// What a command prints.
std::string Shell(const std::string& command) {
  std::string text;
  FILE* const pipe = ::popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> chunk;
  for (size_t got; (got = std::fread(chunk.data(), 1, chunk.size(), pipe)) > 0;) text.append(chunk.data(), got);
  EXPECT_EQ(::pclose(pipe), 0) << command << ": " << text;
  return text;
}

class InterfacesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "network namespaces need root";
    // Of this thread, which has no other; the next test makes its own.
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
    Shell("ip link set lo up");
  }

  static SetInterface Wanted(const std::string& name, const std::string& mac = kMac) {
    SetInterface request;
    request.set_mac(mac);
    request.set_name(name);
    return request;
  }
  static void AddAddress(SetInterface* request, const std::string& bytes, uint32_t prefix) {
    request->add_addresses()->set_address(bytes);
    request->mutable_addresses()->rbegin()->set_prefix_length(prefix);
  }
  // Waits for the outcome.
  Outcome Set(Interfaces& interfaces, const SetInterface& request) {
    std::optional<Outcome> outcome;
    interfaces.Set(request, [&](const Outcome& told) {
      outcome = told;
      loop_.Stop(0);
    });
    if (!outcome.has_value()) loop_.Run();
    return *outcome;
  }
  Outcome Set(const SetInterface& request) {
    EventLoop loop;
    Interfaces interfaces(&loop, [](const std::string&) { return Outcome(); });
    std::optional<Outcome> outcome;
    interfaces.Set(request, [&](const Outcome& told) { outcome = told; });
    EXPECT_TRUE(outcome.has_value()) << "it is there";
    return outcome.value_or(Invalid("nothing was told"));
  }

  EventLoop loop_;
};

SetInterface Everything() {
  SetInterface request;
  request.set_mac(kMac);
  request.set_name("eth0");
  request.set_mtu(1400);
  request.add_addresses()->set_address(std::string("\x0a\x58\x00\x07", 4));
  request.mutable_addresses(0)->set_prefix_length(16);
  request.add_addresses()->set_address("\xfd" + std::string(14, '\0') + "\x07");
  request.mutable_addresses(1)->set_prefix_length(64);
  auto* neighbor = request.add_neighbors();
  neighbor->set_address(std::string("\x0a\x58\x00\x01", 4));
  neighbor->set_mac(kOtherMac);
  auto* route = request.add_routes();  // The way to the gateway of the next.
  route->set_destination(std::string("\xa9\xfe\x01\x01", 4));
  route->set_prefix_length(32);
  route->set_scope(RT_SCOPE_LINK);
  route = request.add_routes();
  route->set_destination(std::string(4, '\0'));
  route->set_gateway(std::string("\xa9\xfe\x01\x01", 4));
  route->set_source(std::string("\x0a\x58\x00\x07", 4));
  route->set_metric(7);
  route->set_mtu(1300);
  route = request.add_routes();
  route->set_destination(std::string("\xac\x10\x00\x00", 4));
  route->set_prefix_length(12);
  route->set_gateway(std::string("\xc0\x00\x02\x01", 4));
  route->set_onlink(true);
  route = request.add_routes();
  route->set_destination(std::string(16, '\0'));
  route->set_gateway("\xfd" + std::string(14, '\0') + "\x01");
  return request;
}

TEST_F(InterfacesTest, SetsEverythingUpAndAgainToNoHarm) {
  Shell(kMakePair);
  for (int time = 0; time < 2; ++time) {
    const Outcome outcome = Set(Everything());
    ASSERT_TRUE(outcome.ok()) << outcome.message();
    EXPECT_THAT(Shell("ip link show dev eth0"), AllOf(HasSubstr("mtu 1400"), HasSubstr(",UP")));
    EXPECT_THAT(Shell("ip -4 addr show dev eth0"), HasSubstr("inet 10.88.0.7/16 brd 10.88.255.255"));
    EXPECT_THAT(Shell("ip -6 addr show dev eth0 scope global"),
                AllOf(HasSubstr("inet6 fd00::7/64"), HasSubstr("nodad"), Not(HasSubstr("tentative"))));
    EXPECT_THAT(Shell("ip neigh show dev eth0"), HasSubstr("10.88.0.1 lladdr 02:00:00:00:00:02 PERMANENT"));
    const std::string routes = Shell("ip route show dev eth0");
    EXPECT_THAT(routes, HasSubstr("169.254.1.1 scope link"));
    EXPECT_THAT(routes, HasSubstr("default via 169.254.1.1 src 10.88.0.7 metric 7 mtu 1300"));
    EXPECT_THAT(routes, HasSubstr("172.16.0.0/12 via 192.0.2.1 onlink"));
    EXPECT_THAT(routes, HasSubstr("10.88.0.0/16 proto kernel"));
    EXPECT_THAT(Shell("ip -6 route show default"), HasSubstr("default via fd00::1 dev eth0"));
  }
}

TEST_F(InterfacesTest, WaitsForOneThatComesLater) {
  Interfaces interfaces(&loop_, [](const std::string&) { return Outcome(); });
  loop_.After(std::chrono::milliseconds(0), [] { Shell(kMakePair); });
  const Outcome outcome = Set(interfaces, Wanted("net1"));
  ASSERT_TRUE(outcome.ok()) << outcome.message();
  EXPECT_THAT(Shell("ip link show dev net1"), HasSubstr("link/ether 02:00:00:00:00:01"));
}

TEST_F(InterfacesTest, GivesUpOnOneThatNeverComes) {
  Interfaces interfaces(
      &loop_, [](const std::string&) { return Outcome(); }, std::chrono::milliseconds(1));
  const Outcome outcome = Set(interfaces, Wanted("net1"));
  EXPECT_EQ(outcome.code(), ErrorCode::ERROR_CODE_SYSTEM);
  EXPECT_THAT(outcome.message(), AllOf(HasSubstr("net1"), HasSubstr("02:00:00:00:00:01")));
}

TEST_F(InterfacesTest, ForgetsWhoeverWaitsWhenItIsToldTo) {
  Interfaces interfaces(&loop_, [](const std::string&) { return Outcome(); });
  interfaces.Set(Wanted("net1"), [](const Outcome&) { ADD_FAILURE() << "nobody waits any more"; });
  interfaces.StopWaiting();
  Shell(kMakePair);
  loop_.After(std::chrono::milliseconds(0), [this] { loop_.Stop(0); });
  loop_.Run();
  EXPECT_THAT(Shell("ip link show dev kernel0"), HasSubstr("kernel0"));
}

TEST_F(InterfacesTest, TakesANameFromOneThatIsNotSetUpYet) {
  Shell("ip link add eth0 address 02:00:00:00:00:02 type veth peer name eth1 address 02:00:00:00:00:01");
  ASSERT_TRUE(Set(Wanted("eth0")).ok());
  ASSERT_TRUE(Set(Wanted("eth1", kOtherMac)).ok());
  EXPECT_THAT(Shell("ip link show dev eth0"), HasSubstr("02:00:00:00:00:01"));
  EXPECT_THAT(Shell("ip link show dev eth1"), HasSubstr("02:00:00:00:00:02"));
  // Both are, so neither gives its name.
  const Outcome outcome = Set(Wanted("eth1"));
  EXPECT_EQ(outcome.code(), ErrorCode::ERROR_CODE_EXISTS) << outcome.message();
  EXPECT_THAT(Shell("ip link show dev eth0"), HasSubstr("02:00:00:00:00:01"));
}

TEST_F(InterfacesTest, SaysWhatTheKernelRefused) {
  Shell(kMakePair);
  SetInterface request = Wanted("eth0");
  auto* route = request.add_routes();
  route->set_destination(std::string(4, '\0'));
  route->set_gateway(std::string("\xc0\x00\x02\x01", 4));
  Outcome outcome = Set(request);
  EXPECT_EQ(outcome.code(), ErrorCode::ERROR_CODE_SYSTEM);
  EXPECT_THAT(outcome.message(), HasSubstr("interface eth0: add the route to 0.0.0.0/0 by 192.0.2.1: Network is "
                                           "unreachable (Nexthop has invalid gateway)"));
  request = Wanted("eth0");
  request.set_mtu(20);
  outcome = Set(request);
  EXPECT_THAT(outcome.message(), HasSubstr("interface eth0: set the MTU to 20: Invalid argument"));
}

TEST_F(InterfacesTest, RefusesWhatCannotBeMeant) {
  const Outcome outcome = Set(Wanted("a/b"));
  EXPECT_EQ(outcome.code(), ErrorCode::ERROR_CODE_INVALID);
}

TEST_F(InterfacesTest, SaysWhyThereIsNoDriver) {
  Interfaces interfaces(&loop_, [](const std::string& group) { return Invalid("no " + group); });
  EXPECT_EQ(Set(interfaces, Wanted("eth0")).message(), "no net");
}

TEST_F(InterfacesTest, TakesOneDown) {
  Shell(kMakePair);
  Interfaces interfaces(&loop_, [](const std::string&) { return Outcome(); });
  ASSERT_TRUE(Set(interfaces, Wanted("eth0")).ok());
  RemoveInterface request;
  request.set_mac(kMac);
  EXPECT_TRUE(interfaces.Remove(request).ok());
  EXPECT_THAT(Shell("ip link show dev eth0"), Not(HasSubstr(",UP")));
  request.set_mac(kOtherMac);
  EXPECT_TRUE(interfaces.Remove(request).ok()) << "there is none";
  request.set_mac("x");
  EXPECT_EQ(interfaces.Remove(request).code(), ErrorCode::ERROR_CODE_INVALID);
}

}  // namespace
}  // namespace vcd::guest

// SPDX-License-Identifier: Apache-2.0
#include "core/netlink/kernel_netlink.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// virtio 1.2, 5.1.6: the header that packets of a tap begin with unless it was told of a longer one. The kernel's own
// header for it is not C++.
constexpr size_t kVirtioHeaderBytes = 10;

constexpr char kMac[] = "02:00:5e:00:53:01";
constexpr char kOtherMac[] = "02:00:5e:00:53:02";

// A namespace of the test's own, which nobody else sees and which ends with it.
class KernelNetlinkTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    auto made = NetworkNamespace::Make();
    ASSERT_TRUE(made.ok()) << made.status();
    netns_.emplace(*std::move(made));
    auto opened = OpenKernelNetlink(*netns_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    netlink_ = *std::move(opened);
  }

  // The interface of that name; one without an index when there is none.
  NetworkLink Find(const std::string& name) {
    const auto links = netlink_->Links();
    EXPECT_TRUE(links.ok()) << links.status();
    for (const NetworkLink& link : *links) {
      if (link.name == name) return link;
    }
    return {};
  }

  // A tap that makes no addresses and sends nothing by itself, up.
  NetworkLink QuietTap(const std::string& name, const std::string& mac, std::vector<UniqueFd>* queues) {
    auto opened = netlink_->OpenTap(name, 1, false);
    EXPECT_TRUE(opened.ok()) << opened.status();
    *queues = *std::move(opened);
    LinkChange change;
    change.address_generation = IN6_ADDR_GEN_MODE_NONE;
    change.mac = mac;
    change.up = true;
    EXPECT_EQ(netlink_->ChangeLink(Find(name).index, change), absl::OkStatus());
    return Find(name);
  }

  std::optional<NetworkNamespace> netns_;
  std::unique_ptr<Netlink> netlink_;
};

// A broadcast frame of a protocol that is nobody's (IEEE 802: local experimental 1), behind virtio's header.
std::string Frame() {
  std::string frame(kVirtioHeaderBytes, '\0');
  frame.append("\xff\xff\xff\xff\xff\xff\x02\x00\x5e\x00\x53\x07\x88\xb5", 14);
  frame.append(46, 'x');
  return frame;
}

// Waits for that frame at a tap, whatever else comes; false after a minute without any.
bool Arrives(const UniqueFd& tap, const std::string& frame) {
  pollfd waiting{tap.get(), POLLIN, 0};
  while (poll(&waiting, 1, 60'000) == 1) {
    std::array<char, 2048> buffer{};
    const ssize_t size = read(tap.get(), buffer.data(), buffer.size());
    if (size == static_cast<ssize_t>(frame.size()) && std::memcmp(buffer.data(), frame.data(), frame.size()) == 0) {
      return true;
    }
  }
  return false;
}

TEST_F(KernelNetlinkTest, ANewNamespaceHasALoopbackInterface) {
  const NetworkLink loopback = Find("lo");
  EXPECT_TRUE(loopback.loopback);
  EXPECT_FALSE(loopback.up);
  EXPECT_FALSE(loopback.ethernet);
}

TEST_F(KernelNetlinkTest, ATapIsGoneWithItsLastDescriptor) {
  {
    auto queues = netlink_->OpenTap("t0", 4, false);
    ASSERT_TRUE(queues.ok()) << queues.status();
    EXPECT_EQ(queues->size(), 4u);
    EXPECT_EQ(Find("t0").kind, "tun");
    EXPECT_TRUE(Find("t0").ethernet);
    EXPECT_EQ(netlink_->OpenTap("t0", 4, false).status().code(), absl::StatusCode::kFailedPrecondition);
  }
  EXPECT_EQ(Find("t0").index, 0);
}

TEST_F(KernelNetlinkTest, AnInterfaceChangesAsAsked) {
  std::vector<UniqueFd> queues;
  const NetworkLink tap = QuietTap("t0", kMac, &queues);
  EXPECT_EQ(tap.mac, kMac);
  EXPECT_TRUE(tap.up);
  for (const uint32_t mtu : {1400u, 9000u}) {
    LinkChange change;
    change.mtu = mtu;
    EXPECT_EQ(netlink_->ChangeLink(tap.index, change), absl::OkStatus());
    EXPECT_EQ(Find("t0").mtu, mtu);
  }
  LinkChange change;
  change.mac = kOtherMac;
  change.up = false;
  EXPECT_EQ(netlink_->ChangeLink(tap.index, change), absl::OkStatus());
  EXPECT_EQ(Find("t0").mac, kOtherMac);
  EXPECT_FALSE(Find("t0").up);
}

TEST_F(KernelNetlinkTest, AnInterfaceOfTheHostComesIn) {
  // Of no other test: names of the host are everybody's.
  const std::string name = absl::StrCat("vcdin", getpid());
  ASSERT_EQ(std::system(absl::StrCat("ip link add ", name, " type veth peer name ", name, "p").c_str()), 0);
  EXPECT_EQ(netlink_->BringIn(static_cast<int>(if_nametoindex(name.c_str())), "wan"), absl::OkStatus());
  EXPECT_EQ(if_nametoindex(name.c_str()), 0u);
  EXPECT_TRUE(Find("wan").ethernet);
  EXPECT_FALSE(Find("wan").up);
  EXPECT_FALSE(netlink_->BringIn(1 << 30, "wan").ok());
  EXPECT_EQ(netlink_->DeleteLink(Find("wan").index), absl::OkStatus());
}

TEST_F(KernelNetlinkTest, ErrorsAreTheKernels) {
  LinkChange change;
  change.up = true;
  const absl::Status status = netlink_->ChangeLink(4711, change);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("interface 4711: No such device"));
  EXPECT_FALSE(netlink_->DeleteLink(4711).ok());
  // One error does not stick to the next call.
  EXPECT_TRUE(netlink_->Links().ok());
}

TEST_F(KernelNetlinkTest, AddressesAndRoutesComeBackAsTheyWereSet) {
  std::vector<UniqueFd> queues;
  const int index = QuietTap("t0", kMac, &queues).index;
  LinkAddress four;
  four.link = index;
  four.address = "10.88.0.7/16";
  four.broadcast = "10.88.255.255";
  LinkAddress six;
  six.link = index;
  six.address = "fd00::7/64";
  six.flags = IFA_F_NODAD;
  ASSERT_EQ(netlink_->AddAddress(four), absl::OkStatus());
  ASSERT_EQ(netlink_->AddAddress(six), absl::OkStatus());
  EXPECT_EQ(netlink_->AddAddress(four).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(netlink_->AddAddress(six).code(), absl::StatusCode::kAlreadyExists);
  LinkRoute route;
  route.link = index;
  route.protocol = RTPROT_STATIC;
  route.route.set_destination("192.0.2.0/24");
  route.route.set_gateway("10.88.0.1");
  route.route.set_source("10.88.0.7");
  route.route.set_metric(77);
  route.route.set_mtu(1300);
  LinkRoute onlink;
  onlink.link = index;
  onlink.protocol = RTPROT_BOOT;
  onlink.route.set_gateway("203.0.113.1");
  onlink.route.set_onlink(true);
  LinkRoute all6;
  all6.link = index;
  all6.protocol = RTPROT_BOOT;
  all6.route.set_gateway("fd00::1");
  all6.route.set_metric(1024);
  for (const LinkRoute& added : {route, onlink, all6}) {
    EXPECT_EQ(netlink_->AddRoute(added), absl::OkStatus());
    EXPECT_EQ(netlink_->AddRoute(added).code(), absl::StatusCode::kAlreadyExists);
  }

  const auto addresses = netlink_->Addresses();
  ASSERT_TRUE(addresses.ok());
  std::vector<std::string> texts;
  for (const LinkAddress& address : *addresses) texts.push_back(address.address);
  EXPECT_THAT(texts, UnorderedElementsAre("10.88.0.7/16", "fd00::7/64"));
  const auto routes = netlink_->Routes();
  ASSERT_TRUE(routes.ok());
  std::vector<std::string> made;
  for (const LinkRoute& found : *routes) {
    if (found.protocol != RTPROT_KERNEL) made.push_back(found.route.ShortDebugString());
  }
  EXPECT_THAT(made, UnorderedElementsAre(route.route.ShortDebugString(), onlink.route.ShortDebugString(),
                                         all6.route.ShortDebugString()));
  EXPECT_EQ(netlink_->DeleteAddress(four), absl::OkStatus());
  EXPECT_EQ(netlink_->DeleteAddress(six), absl::OkStatus());
  EXPECT_THAT(*netlink_->Addresses(), IsEmpty());
}

TEST_F(KernelNetlinkTest, WhatComesInAtOneGoesOutAtTheOther) {
  std::vector<UniqueFd> here, there;
  const NetworkLink a = QuietTap("a", kMac, &here);
  const NetworkLink b = QuietTap("b", kOtherMac, &there);
  EXPECT_THAT(*netlink_->LinksWithIngress(), IsEmpty());
  ASSERT_EQ(netlink_->AddIngress(a.index), absl::OkStatus());
  EXPECT_EQ(netlink_->AddIngress(a.index).code(), absl::StatusCode::kAlreadyExists);
  ASSERT_EQ(netlink_->RedirectIngress(a.index, b.index), absl::OkStatus());
  EXPECT_THAT(*netlink_->LinksWithIngress(), ElementsAre(a.index));
  const std::string frame = Frame();
  ASSERT_EQ(write(here.front().get(), frame.data(), frame.size()), static_cast<ssize_t>(frame.size()));
  EXPECT_TRUE(Arrives(there.front(), frame));
  ASSERT_EQ(netlink_->DeleteIngress(a.index), absl::OkStatus());
  EXPECT_THAT(*netlink_->LinksWithIngress(), IsEmpty());
  EXPECT_FALSE(netlink_->DeleteIngress(a.index).ok());
}

TEST_F(KernelNetlinkTest, ABridgeForwardsBetweenItsPorts) {
  std::vector<UniqueFd> here, there;
  const NetworkLink a = QuietTap("a", kMac, &here);
  const NetworkLink b = QuietTap("b", kOtherMac, &there);
  ASSERT_EQ(netlink_->AddBridge("br"), absl::OkStatus());
  EXPECT_EQ(netlink_->AddBridge("br").code(), absl::StatusCode::kAlreadyExists);
  const int bridge = Find("br").index;
  LinkChange up;
  up.address_generation = IN6_ADDR_GEN_MODE_NONE;
  up.up = true;
  ASSERT_EQ(netlink_->ChangeLink(bridge, up), absl::OkStatus());
  LinkChange enslave;
  enslave.master = bridge;
  ASSERT_EQ(netlink_->ChangeLink(a.index, enslave), absl::OkStatus());
  ASSERT_EQ(netlink_->ChangeLink(b.index, enslave), absl::OkStatus());
  EXPECT_EQ(Find("a").master, bridge);
  const std::string frame = Frame();
  ASSERT_EQ(write(here.front().get(), frame.data(), frame.size()), static_cast<ssize_t>(frame.size()));
  EXPECT_TRUE(Arrives(there.front(), frame));
  EXPECT_EQ(netlink_->DeleteLink(bridge), absl::OkStatus());
  EXPECT_EQ(Find("a").master, 0);
}

TEST_F(KernelNetlinkTest, AMacvtapSendsThroughWhatItIsOnTopOf) {
  std::vector<UniqueFd> below;
  const NetworkLink lower = QuietTap("below", kOtherMac, &below);
  ASSERT_EQ(netlink_->AddMacvtap("above", lower.index, kMac), absl::OkStatus());
  const NetworkLink above = Find("above");
  EXPECT_EQ(above.kind, "macvtap");
  EXPECT_EQ(above.mac, kMac);
  LinkChange up;
  up.address_generation = IN6_ADDR_GEN_MODE_NONE;
  up.up = true;
  ASSERT_EQ(netlink_->ChangeLink(above.index, up), absl::OkStatus());
  auto queues = netlink_->OpenMacvtap(above, 2);
  ASSERT_TRUE(queues.ok()) << queues.status();
  EXPECT_EQ(queues->size(), 2u);
  const std::string frame = Frame();
  ASSERT_EQ(write(queues->front().get(), frame.data(), frame.size()), static_cast<ssize_t>(frame.size()));
  EXPECT_TRUE(Arrives(below.front(), frame));
}

TEST_F(KernelNetlinkTest, TheDriverIsAsked) {
  std::vector<UniqueFd> queues;
  QuietTap("t0", kMac, &queues);
  const auto driver = netlink_->Driver("t0");
  ASSERT_TRUE(driver.ok()) << driver.status();
  EXPECT_EQ(driver->name, "tun");
  EXPECT_EQ(netlink_->Driver("none").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "core/endpoint/pod_endpoints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "core/device/testing/made_host.h"
#include "core/netlink/kernel_netlink.h"
#include "core/os/posix_filesystem.h"
#include "core/os/testing/temporary_directory.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The kernel's, but for the n-th call, which fails and does nothing.
class FailingNetlink : public Netlink {
 public:
  FailingNetlink(std::unique_ptr<Netlink> inner, int* left) : inner_(std::move(inner)), left_(left) {}

  absl::StatusOr<std::vector<NetworkLink>> Links() override { return Fails() ? Error() : inner_->Links(); }
  absl::StatusOr<std::vector<LinkAddress>> Addresses() override { return Fails() ? Error() : inner_->Addresses(); }
  absl::StatusOr<std::vector<LinkRoute>> Routes() override { return Fails() ? Error() : inner_->Routes(); }
  absl::StatusOr<std::vector<LinkNeighbor>> Neighbors() override { return Fails() ? Error() : inner_->Neighbors(); }
  absl::StatusOr<std::vector<int>> LinksWithIngress() override {
    return Fails() ? Error() : inner_->LinksWithIngress();
  }
  absl::StatusOr<LinkDriver> Driver(const std::string& name) override {
    return Fails() ? Error() : inner_->Driver(name);
  }
  absl::StatusOr<std::vector<UniqueFd>> OpenTap(const std::string& name, uint32_t queues, bool existing) override {
    return Fails() ? Error() : inner_->OpenTap(name, queues, existing);
  }
  absl::Status AddMacvtap(const std::string& name, int lower, const std::string& mac) override {
    return Fails() ? Error() : inner_->AddMacvtap(name, lower, mac);
  }
  absl::StatusOr<std::vector<UniqueFd>> OpenMacvtap(const NetworkLink& link, uint32_t queues) override {
    return Fails() ? Error() : inner_->OpenMacvtap(link, queues);
  }
  absl::Status AddBridge(const std::string& name) override { return Fails() ? Error() : inner_->AddBridge(name); }
  absl::Status DeleteLink(int index) override { return Fails() ? Error() : inner_->DeleteLink(index); }
  absl::Status ChangeLink(int index, const LinkChange& change) override {
    return Fails() ? Error() : inner_->ChangeLink(index, change);
  }
  absl::Status BringIn(int index, const std::string& name) override {
    return Fails() ? Error() : inner_->BringIn(index, name);
  }
  absl::Status AddAddress(const LinkAddress& address) override {
    return Fails() ? Error() : inner_->AddAddress(address);
  }
  absl::Status DeleteAddress(const LinkAddress& address) override {
    return Fails() ? Error() : inner_->DeleteAddress(address);
  }
  absl::Status AddRoute(const LinkRoute& route) override { return Fails() ? Error() : inner_->AddRoute(route); }
  absl::Status AddIngress(int index) override { return Fails() ? Error() : inner_->AddIngress(index); }
  absl::Status DeleteIngress(int index) override { return Fails() ? Error() : inner_->DeleteIngress(index); }
  absl::Status RedirectIngress(int from, int to) override {
    return Fails() ? Error() : inner_->RedirectIngress(from, to);
  }

 private:
  bool Fails() { return --*left_ == 0; }
  static absl::Status Error() { return absl::ResourceExhaustedError("injected"); }

  const std::unique_ptr<Netlink> inner_;
  int* const left_;
};

// A kernel without traffic control.
class NoTrafficControl : public FailingNetlink {
 public:
  using FailingNetlink::FailingNetlink;
  absl::Status AddIngress(int) override { return absl::NotFoundError("no such queueing discipline"); }
};

// A namespace that somebody prepared: `lan` with addresses, `idle` without.
class PodEndpointsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    auto made = NetworkNamespace::Make();
    ASSERT_TRUE(made.ok()) << made.status();
    netns_.emplace(*std::move(made));
    ASSERT_EQ(netns_->MountAt(theirs_), absl::OkStatus());
    netlink_ = *OpenKernelNetlink(*netns_);
    for (const char* name : {"lan", "idle"}) {
      ASSERT_EQ(netlink_->AddBridge(name), absl::OkStatus());
    }
    LinkChange change;
    change.mac = "02:00:5e:00:53:01";
    change.mtu = 1400;
    change.up = true;
    ASSERT_EQ(netlink_->ChangeLink(IndexOf("lan"), change), absl::OkStatus());
    for (const char* text : {"10.88.0.7/16", "fd00::7/64"}) {
      LinkAddress address;
      address.link = IndexOf("lan");
      address.address = text;
      ASSERT_EQ(netlink_->AddAddress(address), absl::OkStatus());
    }
    LinkRoute route;
    route.link = IndexOf("lan");
    route.route.set_gateway("10.88.0.1");
    ASSERT_EQ(netlink_->AddRoute(route), absl::OkStatus());
    pod_.pod_id = "web";
    pod_.run_dir = directory_.path();
    pod_.config.set_netns_path(theirs_);
    pod_.max_queues = 2;
  }

  void TearDown() override {
    if (netns_.has_value()) {
      EXPECT_EQ(RemoveNetworkNamespace(theirs_), absl::OkStatus());
    }
  }

  int IndexOf(const std::string& name) {
    const std::vector<NetworkLink> links = *netlink_->Links();
    for (const NetworkLink& link : links) {
      if (link.name == name) return link.index;
    }
    return 0;
  }

  // All that there is to be seen of the namespace.
  std::string Dump() {
    std::string dump;
    const std::vector<NetworkLink> links = *netlink_->Links();
    const std::vector<LinkAddress> addresses = *netlink_->Addresses();
    const std::vector<LinkRoute> routes = *netlink_->Routes();
    const std::vector<int> ingress = *netlink_->LinksWithIngress();
    for (const NetworkLink& link : links) {
      absl::StrAppend(&dump, link.index, " ", link.name, " ", link.mac, " ", link.mtu, " ", link.up, "\n");
    }
    for (const LinkAddress& address : addresses) absl::StrAppend(&dump, address.address, "\n");
    for (const LinkRoute& route : routes) absl::StrAppend(&dump, route.route.ShortDebugString(), "\n");
    absl::StrAppend(&dump, "ingress: ", absl::StrJoin(ingress, " "), "\n");
    return dump;
  }

  // Joins, and undoes it, with each call of the kernel failing in turn, of which there are so many at least.
  void FailEachCall(int least) {
    const std::string before = Dump();
    int left = 0;
    PodEndpoints::Options options;
    options.netlink = [&left](const NetworkNamespace& netns) -> absl::StatusOr<std::unique_ptr<Netlink>> {
      auto kernel = OpenKernelNetlink(netns);
      if (!kernel.ok()) return kernel.status();
      return std::make_unique<FailingNetlink>(*std::move(kernel), &left);
    };
    PodEndpoints failing(filesystem_, options);
    int calls = 0;
    for (int nth = 1; nth < 100; ++nth) {
      ASSERT_TRUE(endpoints_.OpenNamespace(pod_, Soon()).ok());
      left = nth;
      const auto joined = failing.JoinAll(pod_, {}, Soon());
      if (joined.ok()) break;
      ++calls;
      EXPECT_EQ(DetailOf(joined.status()).value_or(ErrorDetail()).reason, v1::ERROR_REASON_NETWORK) << joined.status();
      EXPECT_THAT(std::string(joined.status().message()), HasSubstr("injected"));
      EXPECT_EQ(Dump(), before) << "call " << nth;
      EXPECT_EQ(endpoints_.LeaveAll(pod_), absl::OkStatus());
      EXPECT_EQ(Dump(), before) << "call " << nth;
    }
    EXPECT_GE(calls, least);

    for (int nth = 1; nth < 100; ++nth) {
      ASSERT_TRUE(endpoints_.OpenNamespace(pod_, Soon()).ok());
      ASSERT_TRUE(endpoints_.JoinAll(pod_, {}, Soon()).ok());
      left = nth;
      const absl::Status status = failing.LeaveAll(pod_);
      if (status.ok()) break;
      EXPECT_EQ(endpoints_.LeaveAll(pod_), absl::OkStatus()) << "what failed is still on record";
      EXPECT_EQ(Dump(), before) << "call " << nth;
    }
    EXPECT_EQ(endpoints_.LeaveAll(pod_), absl::OkStatus());
    EXPECT_EQ(endpoints_.RemoveNamespace(pod_), absl::OkStatus());
    EXPECT_EQ(Dump(), before);
  }

  CallContext Soon() { return {absl::Now() + absl::Seconds(30), nullptr}; }

  TemporaryDirectory directory_;
  const std::string theirs_ = directory_.path() + "/theirs";
  PosixFilesystem filesystem_;
  std::optional<NetworkNamespace> netns_;
  std::unique_ptr<Netlink> netlink_;
  NetworkPod pod_;
  PodEndpoints endpoints_{filesystem_, {}};
};

TEST_F(PodEndpointsTest, JoinsWhatHasAnAddressAndUndoesItAlsoAfterACrash) {
  const std::string before = Dump();
  const auto path = endpoints_.OpenNamespace(pod_, Soon());
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_EQ(*path, PodEndpoints::NamespacePath(pod_));
  const auto there = endpoints_.Interfaces(pod_);
  ASSERT_TRUE(there.ok()) << there.status();
  ASSERT_EQ(there->size(), 2u);
  EXPECT_EQ(there->at(0).name(), "lan");
  EXPECT_THAT(there->at(0).addresses(), ElementsAre("10.88.0.7/16", "fd00::7/64"));
  EXPECT_EQ(there->at(1).name(), "idle");
  EXPECT_THAT(there->at(1).addresses(), testing::IsEmpty());
  {
    const auto joined = endpoints_.JoinAll(pod_, {}, Soon());
    ASSERT_TRUE(joined.ok()) << joined.status();
    ASSERT_EQ(joined->size(), 1u);
    const v1::PodInterface& lan = joined->front().interface;
    EXPECT_EQ(lan.name(), "lan");
    EXPECT_EQ(lan.mac(), "02:00:5e:00:53:01");
    EXPECT_EQ(lan.mtu(), 1400u);
    EXPECT_THAT(lan.addresses(), ElementsAre("10.88.0.7/16", "fd00::7/64"));
    ASSERT_EQ(lan.routes_size(), 1);
    EXPECT_EQ(lan.routes(0).gateway(), "10.88.0.1");
    EXPECT_EQ(lan.join(), v1::INTERFACE_JOIN_TC_REDIRECT);
    EXPECT_EQ(lan.queues(), 2u);
    EXPECT_EQ(joined->front().nic.taps.size(), 2u);
    EXPECT_EQ(joined->front().nic.mac, lan.mac());
    EXPECT_TRUE(endpoints_.Verify(pod_).value());
    EXPECT_THAT(*endpoints_.JoinAll(pod_, {}, Soon()), testing::IsEmpty()) << "what is joined already";
    EXPECT_EQ(endpoints_.Join(pod_, "lan", Soon()).status().code(), absl::StatusCode::kAlreadyExists);
    EXPECT_EQ(endpoints_.Join(pod_, "wan", Soon()).status().code(), absl::StatusCode::kNotFound);
    const auto idle = endpoints_.Join(pod_, "idle", Soon());
    ASSERT_TRUE(idle.ok()) << idle.status();
    EXPECT_EQ(endpoints_.Leave(pod_, "idle"), absl::OkStatus());
    EXPECT_EQ(endpoints_.Leave(pod_, "idle"), absl::OkStatus());
  }
  // Machine and daemon are gone, and with them the taps.
  PodEndpoints next(filesystem_, {});
  EXPECT_EQ(next.LeaveAll(pod_), absl::OkStatus());
  EXPECT_EQ(next.RemoveNamespace(pod_), absl::OkStatus());
  EXPECT_EQ(next.LeaveAll(pod_), absl::OkStatus());
  EXPECT_EQ(next.RemoveNamespace(pod_), absl::OkStatus());
  LinkChange down;
  down.up = false;
  ASSERT_EQ(netlink_->ChangeLink(IndexOf("idle"), down), absl::OkStatus());
  EXPECT_EQ(Dump(), before);
  EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/network.json"));
  EXPECT_FALSE(std::filesystem::exists(PodEndpoints::NamespacePath(pod_)));
}

TEST_F(PodEndpointsTest, NothingStaysBehindWhicheverCallOfTheKernelFails) { FailEachCall(/*least=*/10); }

// Joins that change the interface, of a kind that can be a port of a bridge.
class ChangingJoinTest : public PodEndpointsTest, public testing::WithParamInterface<v1::InterfaceJoin> {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(PodEndpointsTest::SetUp());
    if (IsSkipped()) return;
    ASSERT_EQ(netlink_->DeleteLink(IndexOf("lan")), absl::OkStatus());
    const std::string in = absl::StrCat("nsenter --net=", theirs_, " ip ");
    for (const char* words : {"link add lan mtu 1400 address 02:00:5e:00:53:01 type veth peer name far",
                              "link set far up", "link set lan up", "addr add 10.88.0.7/16 dev lan",
                              "addr add fd00::7/64 dev lan nodad", "route add default via 10.88.0.1"}) {
      ASSERT_EQ(std::system((in + words).c_str()), 0) << words;
    }
    pod_.config.set_join(GetParam());
  }
};

TEST_P(ChangingJoinTest, TheGuestHasTheAddressesAndTheyComeBackAlsoAfterACrash) {
  const std::string before = Dump();
  ASSERT_TRUE(endpoints_.OpenNamespace(pod_, Soon()).ok());
  {
    const auto joined = endpoints_.JoinAll(pod_, {}, Soon());
    ASSERT_TRUE(joined.ok()) << joined.status();
    ASSERT_EQ(joined->size(), 1u);
    const v1::PodInterface& lan = joined->front().interface;
    EXPECT_EQ(lan.join(), GetParam());
    EXPECT_EQ(lan.mac(), "02:00:5e:00:53:01");
    EXPECT_THAT(lan.addresses(), ElementsAre("10.88.0.7/16", "fd00::7/64"));
    EXPECT_EQ(lan.routes_size(), 1);
    EXPECT_EQ(joined->front().nic.taps.size(), 2u);
    EXPECT_FALSE(endpoints_.Verify(pod_).value());
    EXPECT_EQ(Dump().find(" lan 02:00:5e:00:53:01"), std::string::npos) << "it is the guest's now";
    EXPECT_EQ(Dump().find("10.88.0.7"), std::string::npos);
    EXPECT_THAT(*endpoints_.JoinAll(pod_, {}, Soon()), testing::IsEmpty()) << "what is joined already";
  }
  PodEndpoints next(filesystem_, {});
  EXPECT_EQ(next.LeaveAll(pod_), absl::OkStatus());
  EXPECT_EQ(next.RemoveNamespace(pod_), absl::OkStatus());
  EXPECT_EQ(Dump(), before);
}

TEST_P(ChangingJoinTest, NothingStaysBehindWhicheverCallOfTheKernelFails) { FailEachCall(/*least=*/12); }

TEST_P(ChangingJoinTest, AKernelWithoutTrafficControlJoinsByABridge) {
  const std::string before = Dump();
  pod_.config.clear_join();
  int never = 0;
  PodEndpoints::Options options;
  options.netlink = [&never](const NetworkNamespace& netns) -> absl::StatusOr<std::unique_ptr<Netlink>> {
    auto kernel = OpenKernelNetlink(netns);
    if (!kernel.ok()) return kernel.status();
    return std::make_unique<NoTrafficControl>(*std::move(kernel), &never);
  };
  PodEndpoints without(filesystem_, options);
  ASSERT_TRUE(without.OpenNamespace(pod_, Soon()).ok());
  {
    const auto joined = without.JoinAll(pod_, {}, Soon());
    ASSERT_TRUE(joined.ok()) << joined.status();
    EXPECT_EQ(joined->front().interface.join(), v1::INTERFACE_JOIN_BRIDGE);
  }
  EXPECT_EQ(without.LeaveAll(pod_), absl::OkStatus());
  EXPECT_EQ(Dump(), before);
  pod_.config.set_join(v1::INTERFACE_JOIN_TC_REDIRECT);
  EXPECT_EQ(without.JoinAll(pod_, {}, Soon()).status().code(), absl::StatusCode::kNotFound) << "what is asked for";
  EXPECT_EQ(Dump(), before);
  EXPECT_EQ(without.RemoveNamespace(pod_), absl::OkStatus());
}

INSTANTIATE_TEST_SUITE_P(Joins, ChangingJoinTest,
                         testing::Values(v1::INTERFACE_JOIN_BRIDGE, v1::INTERFACE_JOIN_MACVTAP), [](const auto& info) {
                           return info.param == v1::INTERFACE_JOIN_BRIDGE ? "Bridge" : "Macvtap";
                         });

class HeldInterfaceTest : public ChangingJoinTest {
 protected:
  // A pod of that namespace, whose run directory lies beside those of others.
  NetworkPod PodOf(const std::string& id) {
    NetworkPod pod = pod_;
    pod.pod_id = id;
    pod.run_dir = absl::StrCat(directory_.path(), "/pods/", id);
    std::filesystem::create_directories(pod.run_dir);
    return pod;
  }
};

TEST_P(HeldInterfaceTest, ThePodThatHasItIsNamedAndKeepsIt) {
  const NetworkPod first = PodOf("first");
  const NetworkPod second = PodOf("second");
  std::filesystem::create_directories(directory_.path() + "/pods/unrelated");
  for (const NetworkPod& pod : {first, second}) ASSERT_TRUE(endpoints_.OpenNamespace(pod, Soon()).ok());
  const auto held = endpoints_.Join(first, "lan", Soon());
  ASSERT_TRUE(held.ok()) << held.status();
  const std::string before = Dump();
  const absl::Status status = endpoints_.Join(second, "lan", Soon()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("interface lan: pod first has it; detach it there with `vc network detach first lan`"));
  EXPECT_EQ(Dump(), before);
  EXPECT_TRUE(endpoints_.Verify(first).ok());
  for (const NetworkPod& pod : {second, first}) {
    EXPECT_EQ(endpoints_.LeaveAll(pod), absl::OkStatus());
    EXPECT_EQ(endpoints_.RemoveNamespace(pod), absl::OkStatus());
  }
}

INSTANTIATE_TEST_SUITE_P(Joins, HeldInterfaceTest,
                         testing::Values(v1::INTERFACE_JOIN_TC_REDIRECT, v1::INTERFACE_JOIN_BRIDGE),
                         [](const auto& info) {
                           return info.param == v1::INTERFACE_JOIN_BRIDGE ? "Bridge" : "TrafficControl";
                         });

TEST_F(PodEndpointsTest, WhatSomebodyElseRedirectsIsRefusedAndLeftAlone) {
  ASSERT_EQ(netlink_->AddIngress(IndexOf("lan")), absl::OkStatus());
  const std::string before = Dump();
  ASSERT_TRUE(endpoints_.OpenNamespace(pod_, Soon()).ok());
  const absl::Status status = endpoints_.JoinAll(pod_, {}, Soon()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("if that is no pod of another vcd, remove it with `tc qdisc del dev lan ingress`"));
  EXPECT_EQ(endpoints_.LeaveAll(pod_), absl::OkStatus());
  EXPECT_EQ(endpoints_.RemoveNamespace(pod_), absl::OkStatus());
  EXPECT_EQ(Dump(), before);
}

TEST_F(PodEndpointsTest, ATapThatIsThereIsTheMachinesOwnEnd) {
  auto own = netlink_->OpenTap("tap0", 1, /*existing=*/false);
  ASSERT_TRUE(own.ok()) << own.status();
  ASSERT_TRUE(endpoints_.OpenNamespace(pod_, Soon()).ok());
  const absl::Status taken = endpoints_.Join(pod_, "tap0", Soon()).status();
  EXPECT_EQ(taken.code(), absl::StatusCode::kFailedPrecondition) << "somebody has it: " << taken;
  EXPECT_EQ(endpoints_.LeaveAll(pod_), absl::OkStatus());
  EXPECT_EQ(endpoints_.RemoveNamespace(pod_), absl::OkStatus());
}

TEST_F(PodEndpointsTest, WhatIsNamedMustBeThere) {
  const std::string before = Dump();
  ASSERT_TRUE(endpoints_.OpenNamespace(pod_, Soon()).ok());
  const absl::Status missing = endpoints_.JoinAll(pod_, {"idle", "wan"}, Soon()).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kFailedPrecondition) << missing;
  EXPECT_THAT(std::string(missing.message()), HasSubstr("interface wan: it is not in the pod's namespace; put it"));
  EXPECT_EQ(Dump(), before);
  const auto joined = endpoints_.JoinAll(pod_, {"idle"}, Soon());
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(joined->size(), 2u);
  EXPECT_EQ(endpoints_.LeaveAll(pod_), absl::OkStatus());
  EXPECT_EQ(endpoints_.RemoveNamespace(pod_), absl::OkStatus());
}

TEST_F(PodEndpointsTest, VhostUserNeedsItsInterfaceAndMakesNothing) {
  const std::string before = Dump();
  ASSERT_TRUE(endpoints_.OpenNamespace(pod_, Soon()).ok());
  (*pod_.config.mutable_vhost_user_sockets())["wan"] = "/run/wan.sock";
  EXPECT_THAT(std::string(endpoints_.JoinAll(pod_, {}, Soon()).status().message()), HasSubstr("/run/wan.sock"));
  pod_.config.clear_vhost_user_sockets();
  (*pod_.config.mutable_vhost_user_sockets())["lan"] = "/run/lan.sock";
  const auto joined = endpoints_.JoinAll(pod_, {}, Soon());
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(joined->front().interface.kind(), v1::INTERFACE_KIND_VHOST_USER);
  EXPECT_EQ(joined->front().nic.vhost_user_socket, "/run/lan.sock");
  EXPECT_EQ(Dump(), before);
  EXPECT_EQ(endpoints_.LeaveAll(pod_), absl::OkStatus());
  EXPECT_EQ(endpoints_.RemoveNamespace(pod_), absl::OkStatus());
}

constexpr char kNicAddress[] = "0000:3b:00.0";

// A kernel in which `lan` is a PCI device, whose driver makes it in the daemon's own namespace.
class PhysicalNetlink : public FailingNetlink {
 public:
  using FailingNetlink::FailingNetlink;
  absl::StatusOr<LinkDriver> Driver(const std::string& name) override {
    if (name != "lan") return absl::UnimplementedError("a bridge has no device");
    return LinkDriver{"ixgbe", kNicAddress};
  }
};

// Interfaces whose device the machine gets: sysfs is made up, the interfaces are real.
class PassthroughTest : public PodEndpointsTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(PodEndpointsTest::SetUp());
    if (IsSkipped()) return;
    host_.AddPciDevice("7", kNicAddress, "0x020000", "ixgbe");
    host_.AddPciDevice("9", "0000:00:02.0", "0x030000", "vfio-pci");
    pod_.config.add_passthrough_interfaces("lan");
  }

  PodEndpoints Endpoints() {
    PodEndpoints::Options options;
    options.netlink = [this](const NetworkNamespace& netns) -> absl::StatusOr<std::unique_ptr<Netlink>> {
      auto kernel = OpenKernelNetlink(netns);
      if (!kernel.ok()) return kernel.status();
      return std::make_unique<PhysicalNetlink>(*std::move(kernel), &left_);
    };
    // What the driver of the interface does when it lets go of its device, and has it again.
    options.pci_bus = PciBus(host_.tree(), [this](const std::string& path, const std::string& value) {
      const std::string before = bus_.DriverOf(kNicAddress);
      absl::Status status = host_.Kernel()(path, value);
      const std::string now = bus_.DriverOf(kNicAddress);
      if (before == "ixgbe" && now != "ixgbe") {
        EXPECT_EQ(netlink_->DeleteLink(IndexOf("lan")), absl::OkStatus());
      }
      if (before != "ixgbe" && now == "ixgbe") MakeOutside();
      return status;
    });
    return PodEndpoints(filesystem_, options);
  }

  void MakeOutside() {
    RemoveOutside();
    const std::string make = absl::StrCat("ip link add ", outside_, " address 02:00:5e:00:53:01 type veth peer name ",
                                          outside_, "p && ip link set ", outside_, "p up");
    ASSERT_EQ(std::system(make.c_str()), 0);
    host_.Write(absl::StrCat("bus/pci/devices/", kNicAddress, "/net/", outside_, "/ifindex"),
                absl::StrCat(if_nametoindex(outside_.c_str())));
  }
  void RemoveOutside() {
    // Either end takes the other along.
    if (if_nametoindex(absl::StrCat(outside_, "p").c_str()) == 0) return;
    EXPECT_EQ(std::system(absl::StrCat("ip link del ", outside_, "p").c_str()), 0);
  }
  void TearDown() override {
    RemoveOutside();
    PodEndpointsTest::TearDown();
  }

  // As Dump, without numbers that a new interface cannot have again.
  std::string State() {
    std::string state;
    const std::vector<NetworkLink> links = *netlink_->Links();
    for (const NetworkLink& link : links) {
      if (link.name == "lan") absl::StrAppend(&state, link.mac, " ", link.mtu, " ", link.up, "\n");
    }
    const std::vector<LinkAddress> addresses = *netlink_->Addresses();
    for (const LinkAddress& address : addresses) {
      if (address.address.rfind("fe80:", 0) != 0) absl::StrAppend(&state, address.address, "\n");
    }
    const std::vector<LinkRoute> routes = *netlink_->Routes();
    for (const LinkRoute& route : routes) {
      if (!route.route.gateway().empty()) absl::StrAppend(&state, route.route.ShortDebugString(), "\n");
    }
    return absl::StrCat(state, bus_.DriverOf(kNicAddress), " ", bus_.OverrideOf(kNicAddress));
  }

  MadeHost host_;
  PciBus bus_{host_.tree(), host_.Kernel()};
  const std::string outside_ = absl::StrCat("vcdpf", getpid());
  int left_ = 0;
};

TEST_F(PassthroughTest, TheMachineGetsTheDeviceAndItComesBackAlsoAfterACrash) {
  const std::string before = State();
  {
    PodEndpoints endpoints = Endpoints();
    ASSERT_TRUE(endpoints.OpenNamespace(pod_, Soon()).ok());
    const auto joined = endpoints.JoinAll(pod_, {}, Soon());
    ASSERT_TRUE(joined.ok()) << joined.status();
    ASSERT_EQ(joined->size(), 1u);
    const v1::PodInterface& lan = joined->front().interface;
    EXPECT_EQ(lan.kind(), v1::INTERFACE_KIND_PHYSICAL);
    EXPECT_EQ(lan.pci_address(), kNicAddress);
    EXPECT_EQ(lan.mac(), "02:00:5e:00:53:01");
    EXPECT_THAT(lan.addresses(), ElementsAre("10.88.0.7/16", "fd00::7/64"));
    EXPECT_EQ(lan.routes_size(), 1);
    EXPECT_EQ(bus_.DriverOf(kNicAddress), "vfio-pci");
    EXPECT_EQ(IndexOf("lan"), 0);
    EXPECT_FALSE(endpoints.Verify(pod_).value());
    EXPECT_THAT(*endpoints.JoinAll(pod_, {}, Soon()), testing::IsEmpty()) << "what is joined already";
  }
  PodEndpoints next = Endpoints();
  EXPECT_EQ(next.LeaveAll(pod_), absl::OkStatus());
  EXPECT_EQ(State(), before);
  EXPECT_EQ(next.LeaveAll(pod_), absl::OkStatus());
  EXPECT_EQ(next.RemoveNamespace(pod_), absl::OkStatus());
  EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/network.json"));
}

TEST_F(PassthroughTest, ComesBackWhicheverWriteOfTheKernelFails) {
  const std::string before = State();
  PodEndpoints endpoints = Endpoints();
  for (int write = 1; write <= 3; ++write) {
    ASSERT_TRUE(endpoints.OpenNamespace(pod_, Soon()).ok());
    host_.FailWrite(write);
    const absl::Status status = endpoints.JoinAll(pod_, {}, Soon()).status();
    EXPECT_EQ(DetailOf(status).value_or(ErrorDetail()).reason, v1::ERROR_REASON_NETWORK) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("lan"));
    EXPECT_EQ(State(), before) << "write " << write;
    ASSERT_TRUE(endpoints.JoinAll(pod_, {}, Soon()).ok());
    host_.FailWrite(write);
    EXPECT_FALSE(endpoints.LeaveAll(pod_).ok()) << "write " << write;
    EXPECT_EQ(endpoints.LeaveAll(pod_), absl::OkStatus()) << "what failed is still on record";
    EXPECT_EQ(State(), before) << "write " << write;
  }
  EXPECT_EQ(endpoints.RemoveNamespace(pod_), absl::OkStatus());
}

TEST_F(PassthroughTest, ComesBackWhicheverCallOfNetlinkFails) {
  const std::string before = State();
  PodEndpoints endpoints = Endpoints();
  int failures = 0;
  for (int nth = 1; nth < 100; ++nth) {
    ASSERT_TRUE(endpoints.OpenNamespace(pod_, Soon()).ok());
    ASSERT_TRUE(endpoints.JoinAll(pod_, {}, Soon()).ok());
    left_ = nth;
    const absl::Status status = endpoints.LeaveAll(pod_);
    left_ = 0;
    EXPECT_EQ(endpoints.LeaveAll(pod_), absl::OkStatus());
    EXPECT_EQ(State(), before) << "call " << nth;
    if (status.ok()) break;
    ++failures;
  }
  EXPECT_GE(failures, 8);
  EXPECT_EQ(endpoints.RemoveNamespace(pod_), absl::OkStatus());
}

TEST_F(PassthroughTest, TheHostGetsItBackWhenTheNamespaceIsGone) {
  PodEndpoints endpoints = Endpoints();
  ASSERT_TRUE(endpoints.OpenNamespace(pod_, Soon()).ok());
  ASSERT_TRUE(endpoints.JoinAll(pod_, {}, Soon()).ok());
  ASSERT_EQ(endpoints.RemoveNamespace(pod_), absl::OkStatus());
  EXPECT_EQ(endpoints.LeaveAll(pod_), absl::OkStatus());
  EXPECT_EQ(bus_.DriverOf(kNicAddress), "ixgbe");
  EXPECT_NE(if_nametoindex(outside_.c_str()), 0u);
  EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/network.json"));
}

TEST_F(PassthroughTest, WhatCannotGoIsRefusedAndLeftAlone) {
  const std::string before = Dump();
  PodEndpoints endpoints = Endpoints();
  ASSERT_TRUE(endpoints.OpenNamespace(pod_, Soon()).ok());
  const auto why = [&](const char* name) {
    pod_.config.clear_passthrough_interfaces();
    pod_.config.add_passthrough_interfaces(name);
    const absl::Status status = endpoints.JoinAll(pod_, {}, Soon()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(endpoints.LeaveAll(pod_), absl::OkStatus());
    EXPECT_EQ(Dump(), before);
    return std::string(status.message());
  };
  EXPECT_THAT(why("idle"), HasSubstr("no PCI device"));
  EXPECT_THAT(why("wan"), HasSubstr("not in the pod's namespace"));
  host_.AddPciDevice("7", "0000:3b:00.1", "0x010802", "nvme");
  EXPECT_THAT(why("lan"), HasSubstr("0000:3b:00.1"));
  EXPECT_EQ(bus_.DriverOf(kNicAddress), "ixgbe");
  EXPECT_EQ(endpoints.RemoveNamespace(pod_), absl::OkStatus());
}

TEST(PassthroughCheckTest, NamesTheField) {
  v1::NetworkConfig config;
  config.add_passthrough_interfaces("lan");
  EXPECT_EQ(PodEndpoints::Check(config), absl::OkStatus());
  config.add_passthrough_interfaces("lan");
  EXPECT_THAT(std::string(PodEndpoints::Check(config).message()), HasSubstr("twice"));
  config.clear_passthrough_interfaces();
  config.add_passthrough_interfaces("");
  EXPECT_THAT(std::string(PodEndpoints::Check(config).message()), HasSubstr("passthrough_interfaces"));
  config.set_passthrough_interfaces(0, "lan");
  (*config.mutable_vhost_user_sockets())["lan"] = "/run/lan.sock";
  EXPECT_THAT(std::string(PodEndpoints::Check(config).message()), HasSubstr("vhost-user too"));
}

}  // namespace
}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "core/endpoint/pod_endpoints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/endpoint/testing/prepared_namespace.h"
#include "core/netlink/testing/failing_netlink.h"
#include "core/netns/namespace_turn.h"
#include "core/os/testing/fault_injection_filesystem.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// A kernel without traffic control.
class NoTrafficControl : public FailingNetlink {
 public:
  using FailingNetlink::FailingNetlink;
  absl::Status AddIngress(int) override { return absl::NotFoundError("no such queueing discipline"); }
};

// A kernel in which something comes in between, whenever an interface is changed.
class Interrupted : public FailingNetlink {
 public:
  Interrupted(std::unique_ptr<Netlink> inner, int* left, std::function<void()> between)
      : FailingNetlink(std::move(inner), left), between_(std::move(between)) {}
  absl::Status ChangeLink(int index, const LinkChange& change) override {
    between_();
    return FailingNetlink::ChangeLink(index, change);
  }

 private:
  const std::function<void()> between_;
};

class PodEndpointsTest : public PreparedNamespaceTest {
 protected:
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

TEST_F(PodEndpointsTest, AFullDiskKeepsNoInterface) {
  const std::string before = Dump();
  ASSERT_TRUE(endpoints_.OpenNamespace(pod_, Soon()).ok());
  ASSERT_TRUE(endpoints_.JoinAll(pod_, {"idle"}, Soon()).ok());
  FaultInjectionFilesystem counted(filesystem_);
  PodEndpoints next(counted, {});
  EXPECT_EQ(next.LeaveAll(pod_), absl::OkStatus());
  EXPECT_THAT(counted.calls(), Not(Contains(StartsWith("WriteFile"))));
  EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/network.json"));
  EXPECT_EQ(endpoints_.RemoveNamespace(pod_), absl::OkStatus());
  LinkChange down;
  down.up = false;
  ASSERT_EQ(netlink_->ChangeLink(IndexOf("idle"), down), absl::OkStatus());
  EXPECT_EQ(Dump(), before);
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

TEST_P(ChangingJoinTest, WhatWasUpIsUpAgainAlsoWhenItIsFoundDown) {
  const std::string before = Dump();
  ASSERT_TRUE(endpoints_.OpenNamespace(pod_, Soon()).ok());
  ASSERT_TRUE(endpoints_.JoinAll(pod_, {}, Soon()).ok());
  LinkChange down;
  down.up = false;
  ASSERT_EQ(netlink_->ChangeLink(IndexOf("lan"), down), absl::OkStatus());
  EXPECT_EQ(endpoints_.LeaveAll(pod_), absl::OkStatus());
  EXPECT_EQ(Dump(), before);
  EXPECT_EQ(endpoints_.RemoveNamespace(pod_), absl::OkStatus());
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

TEST_P(HeldInterfaceTest, AnotherPodWaitsForOneThatIsAtIt) {
  const NetworkPod first = PodOf("first");
  const NetworkPod second = PodOf("second");
  for (const NetworkPod& pod : {first, second}) ASSERT_TRUE(endpoints_.OpenNamespace(pod, Soon()).ok());
  const std::string before = Dump();
  int never = 0, interruptions = 0, free = 0;
  absl::Status late;
  std::thread other;
  PodEndpoints::Options options;
  options.netlink = [&](const NetworkNamespace& netns) -> absl::StatusOr<std::unique_ptr<Netlink>> {
    auto kernel = OpenKernelNetlink(netns);
    if (!kernel.ok()) return kernel.status();
    return std::make_unique<Interrupted>(*std::move(kernel), &never, [&] {
      if (NamespaceTurn::TryTake(*netns_).has_value()) ++free;
      if (++interruptions > 1) return;
      other = std::thread([&] { late = endpoints_.Join(second, "lan", Soon()).status(); });
    });
  };
  PodEndpoints interrupted(filesystem_, options);
  {
    const auto held = interrupted.Join(first, "lan", Soon());
    if (other.joinable()) other.join();
    ASSERT_TRUE(held.ok()) << held.status();
    EXPECT_GE(interruptions, 1);
    EXPECT_EQ(free, 0);
    EXPECT_EQ(late.code(), absl::StatusCode::kFailedPrecondition) << late;
    EXPECT_THAT(std::string(late.message()), HasSubstr("interface lan: pod first has it"));
    EXPECT_TRUE(endpoints_.Verify(first).ok());
  }
  EXPECT_TRUE(NamespaceTurn::TryTake(*netns_).has_value());
  for (const NetworkPod& pod : {second, first}) {
    EXPECT_EQ(interrupted.LeaveAll(pod), absl::OkStatus());
    EXPECT_EQ(interrupted.RemoveNamespace(pod), absl::OkStatus());
  }
  EXPECT_EQ(free, 0);
  EXPECT_EQ(Dump(), before);
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

}  // namespace
}  // namespace vcd

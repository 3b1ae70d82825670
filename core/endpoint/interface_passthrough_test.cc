// SPDX-License-Identifier: Apache-2.0
#include "core/endpoint/interface_passthrough.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/device/testing/made_host.h"
#include "core/endpoint/testing/prepared_namespace.h"
#include "core/netlink/testing/failing_netlink.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

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
class InterfacePassthroughTest : public PreparedNamespaceTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(PreparedNamespaceTest::SetUp());
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
    PreparedNamespaceTest::TearDown();
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

TEST_F(InterfacePassthroughTest, TheMachineGetsTheDeviceAndItComesBackAlsoAfterACrash) {
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

TEST_F(InterfacePassthroughTest, ComesBackWhicheverWriteOfTheKernelFails) {
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

TEST_F(InterfacePassthroughTest, ComesBackWhicheverCallOfNetlinkFails) {
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

TEST_F(InterfacePassthroughTest, TheHostGetsItBackWhenTheNamespaceIsGone) {
  PodEndpoints endpoints = Endpoints();
  ASSERT_TRUE(endpoints.OpenNamespace(pod_, Soon()).ok());
  ASSERT_TRUE(endpoints.JoinAll(pod_, {}, Soon()).ok());
  ASSERT_EQ(endpoints.RemoveNamespace(pod_), absl::OkStatus());
  EXPECT_EQ(endpoints.LeaveAll(pod_), absl::OkStatus());
  EXPECT_EQ(bus_.DriverOf(kNicAddress), "ixgbe");
  EXPECT_NE(if_nametoindex(outside_.c_str()), 0u);
  EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/network.json"));
}

TEST_F(InterfacePassthroughTest, WhatCannotGoIsRefusedAndLeftAlone) {
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

TEST(InterfacePassthroughCheckTest, NamesTheField) {
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

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_ENDPOINT_TESTING_PREPARED_NAMESPACE_H_
#define VCD_CORE_ENDPOINT_TESTING_PREPARED_NAMESPACE_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "core/endpoint/pod_endpoints.h"
#include "core/netlink/kernel_netlink.h"
#include "core/netns/network_namespace.h"
#include "core/os/posix_filesystem.h"
#include "core/os/testing/temporary_directory.h"

namespace vcd {

// For tests of PodEndpoints, as root: a pod in a namespace that somebody prepared, with `lan`, which has addresses, and
// `idle`, which has none.
class PreparedNamespaceTest : public testing::Test {
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

  CallContext Soon() { return {absl::Now() + absl::Seconds(30), nullptr}; }

  TemporaryDirectory directory_;
  const std::string theirs_ = directory_.path() + "/theirs";
  PosixFilesystem filesystem_;
  std::optional<NetworkNamespace> netns_;
  std::unique_ptr<Netlink> netlink_;
  NetworkPod pod_;
  PodEndpoints endpoints_{filesystem_, {}};
};

}  // namespace vcd

#endif  // VCD_CORE_ENDPOINT_TESTING_PREPARED_NAMESPACE_H_

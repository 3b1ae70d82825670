// SPDX-License-Identifier: Apache-2.0
#include "backends/network/cni/cni_network.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <utility>

#include "absl/time/clock.h"
#include "core/cni/testing/scripted_plugins.h"
#include "core/netlink/kernel_netlink.h"
#include "core/netns/network_namespace.h"
#include "core/network/testing/network_contract.h"
#include "core/os/testing/temporary_directory.h"
#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kPluginsOfTheHost[] = "/usr/lib/cni";

// The network `default`, or one of `plugin` alone, with a namespace of its own in the host's place.
class ElsewhereNetwork : public Network {
 public:
  explicit ElsewhereNetwork(const std::string& plugins = kPluginsOfTheHost, const std::string& plugin = "",
                            NetlinkFactory netlink = nullptr)
      : host_(*NetworkNamespace::Make()) {
    CniNetwork::Options options;
    options.config_dir = directory_.path() + "/net.d";
    if (!plugin.empty()) {
      std::filesystem::create_directory(options.config_dir);
      std::ofstream(options.config_dir + "/lan.conflist")
          << R"({"cniVersion": "1.0.0", "name": "lan", "plugins": [{"type": ")" << plugin << R"("}]})";
    }
    options.plugin_dirs = {plugins};
    options.plugin_timeout = absl::Minutes(1);
    options.default_network.addresses_dir = directory_.path() + "/ipam";
    options.queue.directory = directory_.path() + "/pending";
    options.queue.netns_dir = directory_.path() + "/run";
    options.endpoints.netlink = std::move(netlink);
    network_ = std::make_unique<CniNetwork>(options);
  }

  absl::Status Check(const v1::NetworkConfig& config) const override { return network_->Check(config); }
  absl::StatusOr<std::string> Open(const NetworkPod& pod, const CallContext& context) override {
    return In<std::string>([&] { return network_->Open(pod, context); });
  }
  absl::StatusOr<NetworkPlan> Attach(const NetworkPod& pod, const CallContext& context) override {
    return In<NetworkPlan>([&] { return network_->Attach(pod, context); });
  }
  absl::Status Detach(const NetworkPod& pod, const CallContext& context) override {
    return host_.Run([&] { return network_->Detach(pod, context); });
  }
  absl::StatusOr<PlannedInterface> AddInterface(const NetworkPod& pod, const v1::CniNetwork& network,
                                                const CallContext& context) override {
    return In<PlannedInterface>([&] { return network_->AddInterface(pod, network, context); });
  }
  absl::Status RemoveInterface(const NetworkPod& pod, const std::string& name, const CallContext& context) override {
    return host_.Run([&] { return network_->RemoveInterface(pod, name, context); });
  }
  absl::Status Verify(const NetworkPod& pod, const CallContext& context) override {
    return host_.Run([&] { return network_->Verify(pod, context); });
  }

 private:
  template <typename T>
  absl::StatusOr<T> In(const std::function<absl::StatusOr<T>()>& call) {
    absl::StatusOr<T> result;
    const absl::Status ran = host_.Run([&] {
      result = call();
      return absl::OkStatus();
    });
    return ran.ok() ? std::move(result) : ran;
  }

  TemporaryDirectory directory_;
  NetworkNamespace host_;
  std::unique_ptr<CniNetwork> network_;
};

INSTANTIATE_TEST_SUITE_P(Cni, NetworkContract,
                         testing::Values(NetworkContractParams{
                             "Cni", [] { return std::make_unique<ElsewhereNetwork>(); }, v1::NetworkConfig()}),
                         NetworkContractName);

CallContext Soon() { return {absl::Now() + absl::Minutes(2), nullptr}; }

TEST(CniNetworkTest, PlansWhatThePluginsMade) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  TemporaryDirectory directory;
  ElsewhereNetwork network;
  NetworkPod pod;
  pod.pod_id = "web";
  pod.run_dir = pod.state_dir = directory.path();
  ASSERT_TRUE(network.Open(pod, Soon()).ok());
  absl::StatusOr<NetworkPlan> plan = network.Attach(pod, Soon());
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_THAT(plan->interfaces, SizeIs(1));
  const v1::PodInterface& eth0 = plan->interfaces[0].interface;
  EXPECT_EQ(eth0.name(), "eth0");
  EXPECT_EQ(eth0.network(), "default");
  EXPECT_THAT(eth0.addresses(), testing::IsSupersetOf({"10.213.0.2/16", "fd76:6364::2/64"}));
  EXPECT_EQ(network.Verify(pod, Soon()), absl::OkStatus());

  v1::CniNetwork more;
  more.set_interface_name("eth1");
  const auto added = network.AddInterface(pod, more, Soon());
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ(added->interface.network(), "default");
  EXPECT_EQ(network.AddInterface(pod, more, Soon()).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(network.RemoveInterface(pod, "eth1", Soon()), absl::OkStatus());
  EXPECT_EQ(network.Detach(pod, Soon()), absl::OkStatus());
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

// The scripted plugin makes no interfaces, whatever it says: `eth0` is the test's, and no other is there.
TEST(CniNetworkTest, APluginThatMadeNoInterfaceIsFoundOut) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  TemporaryDirectory directory;
  ScriptedPlugins plugins({"idle"});
  ElsewhereNetwork network(plugins.directory(), "idle");
  NetworkPod pod;
  pod.pod_id = "web";
  pod.run_dir = pod.state_dir = directory.path();
  ASSERT_TRUE(network.Open(pod, Soon()).ok());
  const absl::Status attached = network.Attach(pod, Soon()).status();
  EXPECT_EQ(attached.code(), absl::StatusCode::kFailedPrecondition) << attached;
  EXPECT_THAT(std::string(attached.message()),
              HasSubstr("network `lan`: ADD of its CNI plugins (idle) succeeded, but there is no interface eth0"));
  ASSERT_TRUE(DetailOf(attached).has_value());
  EXPECT_EQ(DetailOf(attached)->metadata.at("interface"), "eth0");
  EXPECT_THAT(plugins.Left(), SizeIs(0));

  const auto netns = NetworkNamespace::Open(directory.path() + "/netns");
  ASSERT_TRUE(netns.ok()) << netns.status();
  ASSERT_EQ((*OpenKernelNetlink(*netns))->AddBridge("eth0"), absl::OkStatus());
  const absl::StatusOr<NetworkPlan> plan = network.Attach(pod, Soon());
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_THAT(plan->interfaces, SizeIs(1)) << "of layer 2 alone";
  v1::CniNetwork more;
  more.set_interface_name("eth1");
  const absl::Status added = network.AddInterface(pod, more, Soon()).status();
  EXPECT_EQ(added.code(), absl::StatusCode::kFailedPrecondition) << added;
  EXPECT_THAT(std::string(added.message()), HasSubstr("there is no interface eth1 in the pod's namespace"));
  EXPECT_THAT(plugins.Left(), SizeIs(1));
  EXPECT_EQ(network.Detach(pod, Soon()), absl::OkStatus());
  EXPECT_THAT(plugins.Left(), SizeIs(0));
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(CniNetworkTest, AnInterfaceThatCameTooLateIsGivenBack) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  TemporaryDirectory directory;
  ScriptedPlugins plugins({"slow"});
  absl::Time deadline = absl::InfinitePast();
  // Once the plugins are done, time is over before the interface is joined.
  ElsewhereNetwork network(plugins.directory(), "slow", [&](const NetworkNamespace& netns) {
    absl::SleepFor(deadline - absl::Now());
    return OpenKernelNetlink(netns);
  });
  NetworkPod pod;
  pod.pod_id = "web";
  pod.run_dir = pod.state_dir = directory.path();
  ASSERT_TRUE(network.Open(pod, Soon()).ok());
  const auto netns = NetworkNamespace::Open(directory.path() + "/netns");
  ASSERT_TRUE(netns.ok()) << netns.status();
  ASSERT_EQ((*OpenKernelNetlink(*netns))->AddBridge("eth1"), absl::OkStatus());
  v1::CniNetwork more;
  more.set_interface_name("eth1");
  deadline = absl::Now() + absl::Seconds(1);
  const absl::Status added = network.AddInterface(pod, more, {deadline, nullptr}).status();
  EXPECT_EQ(added.code(), absl::StatusCode::kDeadlineExceeded) << added;
  EXPECT_THAT(plugins.Left(), SizeIs(0));
  EXPECT_FALSE(std::filesystem::exists(directory.path() + "/cni.json"));
  EXPECT_EQ(network.Detach(pod, Soon()), absl::OkStatus());
}

}  // namespace
}  // namespace vcd

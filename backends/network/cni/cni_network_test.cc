// SPDX-License-Identifier: Apache-2.0
#include "backends/network/cni/cni_network.h"

#include <unistd.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "absl/time/clock.h"
#include "core/netns/network_namespace.h"
#include "core/network/testing/network_contract.h"
#include "core/os/testing/temporary_directory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::SizeIs;

// The network `default` by the plugins of the host, with a namespace of its own in the host's place.
class ElsewhereNetwork : public Network {
 public:
  ElsewhereNetwork() : host_(*NetworkNamespace::Make()) {
    CniNetwork::Options options;
    options.config_dir = directory_.path() + "/net.d";
    options.plugin_dirs = {"/usr/lib/cni"};
    options.plugin_timeout = absl::Minutes(1);
    options.default_network.addresses_dir = directory_.path() + "/ipam";
    options.queue.directory = directory_.path() + "/pending";
    options.queue.netns_dir = directory_.path() + "/run";
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

}  // namespace
}  // namespace vcd

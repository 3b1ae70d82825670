// SPDX-License-Identifier: Apache-2.0
#include "backends/network/mock/mock_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "core/network/testing/network_contract.h"
#include "core/os/io_thread.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

// A network with the I/O thread that its control needs.
class OwnNetwork : public Network {
 public:
  absl::Status Check(const v1::NetworkConfig& config) const override { return network_.Check(config); }
  absl::StatusOr<std::string> Open(const NetworkPod& pod, const CallContext& context) override {
    return network_.Open(pod, context);
  }
  absl::StatusOr<NetworkPlan> Attach(const NetworkPod& pod, const CallContext& context) override {
    return network_.Attach(pod, context);
  }
  absl::Status Detach(const NetworkPod& pod, const CallContext& context) override {
    return network_.Detach(pod, context);
  }
  absl::StatusOr<PlannedInterface> AddInterface(const NetworkPod& pod, const v1::CniNetwork& network,
                                                const CallContext& context) override {
    return network_.AddInterface(pod, network, context);
  }

  MockControl& control() { return *control_; }

 private:
  IoThread io_;
  const std::shared_ptr<MockControl> control_ = std::make_shared<MockControl>(io_);
  MockNetwork network_{control_};
};

INSTANTIATE_TEST_SUITE_P(Mock, NetworkContract,
                         testing::Values(NetworkContractParams{"Mock", [] { return std::make_unique<OwnNetwork>(); },
                                                               v1::NetworkConfig()}),
                         NetworkContractName);

TEST(MockNetworkTest, GoesWrongAsTold) {
  OwnNetwork network;
  v1::MockBehavior behavior;
  behavior.set_attach_network("error=RESOURCE_EXHAUSTED:no addresses");
  ASSERT_EQ(network.control().Set("web", behavior), absl::OkStatus());
  const CallContext soon{absl::Now() + absl::Seconds(20), nullptr};
  NetworkPod pod;
  pod.pod_id = "web";
  EXPECT_EQ(network.Open(pod, soon).status().code(), absl::StatusCode::kResourceExhausted);
  pod.pod_id = "other";
  EXPECT_EQ(network.Open(pod, soon).status(), absl::OkStatus());
}

TEST(MockNetworkTest, SaysHowAPodGetsInterfaces) {
  OwnNetwork network;
  v1::CniNetwork lan;
  lan.set_name("lan");
  const absl::Status status = network.AddInterface(NetworkPod(), lan, CallContext()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_NOT_IMPLEMENTED);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("`vc run --network lan`"));
}

}  // namespace
}  // namespace vcd

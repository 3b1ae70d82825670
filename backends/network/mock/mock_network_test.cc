// SPDX-License-Identifier: Apache-2.0
#include "backends/network/mock/mock_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "core/network/testing/network_contract.h"
#include "core/os/io_thread.h"

namespace vcd {
namespace {

// A network with the I/O thread that its control needs.
class OwnNetwork : public Network {
 public:
  absl::Status Check(const v1::NetworkConfig& config) const override { return network_.Check(config); }
  absl::StatusOr<NetworkPlan> Attach(const std::string& pod_id, const v1::NetworkConfig& config,
                                     const CallContext& context) override {
    return network_.Attach(pod_id, config, context);
  }
  absl::Status Detach(const std::string& pod_id, const v1::NetworkConfig& config, const CallContext& context) override {
    return network_.Detach(pod_id, config, context);
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
  EXPECT_EQ(network.Attach("web", {}, soon).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(network.Attach("other", {}, soon).status(), absl::OkStatus());
}

}  // namespace
}  // namespace vcd

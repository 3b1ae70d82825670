// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_NETWORK_MOCK_MOCK_NETWORK_H_
#define VCD_BACKENDS_NETWORK_MOCK_MOCK_NETWORK_H_

#include <memory>
#include <string>
#include <utility>

#include "backends/mock/mock_control.h"
#include "core/network/network.h"

namespace vcd {

// A network that is only pretended: any namespace will do, none is looked at, and it goes wrong as MockControl says.
// Thread-safe.
class MockNetwork : public Network {
 public:
  explicit MockNetwork(std::shared_ptr<MockControl> control) : control_(std::move(control)) {}

  absl::Status Check(const v1::NetworkConfig&) const override { return absl::OkStatus(); }
  absl::StatusOr<std::string> Open(const NetworkPod& pod, const CallContext& context) override;
  absl::StatusOr<NetworkPlan> Attach(const NetworkPod& pod, const CallContext& context) override;
  absl::Status Detach(const NetworkPod& pod, const CallContext& context) override;
  // kUnimplemented.
  absl::StatusOr<PlannedInterface> AddInterface(const NetworkPod& pod, const v1::CniNetwork& network,
                                                const CallContext& context) override;

 private:
  const std::shared_ptr<MockControl> control_;
};

}  // namespace vcd

#endif  // VCD_BACKENDS_NETWORK_MOCK_MOCK_NETWORK_H_

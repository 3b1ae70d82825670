// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_NETWORK_NONE_NONE_NETWORK_H_
#define VCD_BACKENDS_NETWORK_NONE_NONE_NETWORK_H_

#include <string>

#include "core/network/network.h"

namespace vcd {

// No network: the guest has its loopback interface and no other.
class NoneNetwork : public Network {
 public:
  absl::Status Check(const v1::NetworkConfig& config) const override;
  absl::StatusOr<std::string> Open(const NetworkPod& pod, const CallContext& context) override;
  absl::StatusOr<NetworkPlan> Attach(const NetworkPod& pod, const CallContext& context) override;
  absl::Status Detach(const NetworkPod& pod, const CallContext& context) override;
  // kFailedPrecondition (NETWORK).
  absl::StatusOr<PlannedInterface> AddInterface(const NetworkPod& pod, const v1::CniNetwork& network,
                                                const CallContext& context) override;
};

}  // namespace vcd

#endif  // VCD_BACKENDS_NETWORK_NONE_NONE_NETWORK_H_

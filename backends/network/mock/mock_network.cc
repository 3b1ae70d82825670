// SPDX-License-Identifier: Apache-2.0
#include "backends/network/mock/mock_network.h"

#include "backends/mock/mock_behavior.h"
#include "core/status/status_macros.h"

namespace vcd {

absl::StatusOr<NetworkPlan> MockNetwork::Attach(const std::string& pod_id, const v1::NetworkConfig&,
                                                const CallContext& context) {
  VCD_RETURN_IF_ERROR(control_->Enter(pod_id, MockOperation::kAttachNetwork, context));
  // No machine is to be joined to anything.
  return NetworkPlan();
}

absl::Status MockNetwork::Detach(const std::string& pod_id, const v1::NetworkConfig&, const CallContext& context) {
  return control_->Enter(pod_id, MockOperation::kDetachNetwork, context);
}

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "backends/network/mock/mock_network.h"

#include "absl/strings/str_cat.h"
#include "backends/mock/mock_behavior.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {

absl::StatusOr<std::string> MockNetwork::Open(const NetworkPod& pod, const CallContext& context) {
  VCD_RETURN_IF_ERROR(control_->Enter(pod.pod_id, MockOperation::kAttachNetwork, context));
  return std::string();
}

absl::StatusOr<NetworkPlan> MockNetwork::Attach(const NetworkPod&, const CallContext& context) {
  VCD_RETURN_IF_ERROR(context.Check("set the network up"));
  // No machine is to be joined to anything.
  return NetworkPlan();
}

absl::Status MockNetwork::Detach(const NetworkPod& pod, const CallContext& context) {
  return control_->Enter(pod.pod_id, MockOperation::kDetachNetwork, context);
}

absl::StatusOr<PlannedInterface> MockNetwork::AddInterface(const NetworkPod&, const v1::CniNetwork& network,
                                                           const CallContext&) {
  const std::string name = network.name().empty() ? "cni" : network.name();
  return WithDetail(
      absl::UnimplementedError(absl::StrCat("the pod's network `mock` is pretended and has no interfaces; make the pod "
                                            "anew with another, as by `vc run --network ",
                                            name, "`")),
      {v1::ERROR_REASON_NOT_IMPLEMENTED, {}});
}

}  // namespace vcd

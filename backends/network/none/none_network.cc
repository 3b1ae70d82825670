// SPDX-License-Identifier: Apache-2.0
#include "backends/network/none/none_network.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {

absl::Status NoneNetwork::Check(const v1::NetworkConfig& config) const {
  // Whatever is asked for is a wish for another network.
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  config.GetReflection()->ListFields(config, &fields);
  if (fields.empty()) return absl::OkStatus();
  return InvalidField(absl::StrCat("config.network_config.", fields.front()->name()),
                      "network `none` has no interfaces; leave it empty, or choose another network");
}

absl::StatusOr<std::string> NoneNetwork::Open(const NetworkPod& pod, const CallContext& context) {
  absl::Status status = context.Check("set the network up");
  if (status.ok()) status = Check(pod.config);
  if (!status.ok()) return WithMetadata(Annotate(status, "pod " + pod.pod_id), "pod_id", pod.pod_id);
  return std::string();
}

absl::StatusOr<NetworkPlan> NoneNetwork::Attach(const NetworkPod& pod, const CallContext& context) {
  VCD_RETURN_IF_ERROR(Open(pod, context).status());
  return NetworkPlan();
}

absl::Status NoneNetwork::Detach(const NetworkPod&, const CallContext&) { return absl::OkStatus(); }

absl::StatusOr<PlannedInterface> NoneNetwork::AddInterface(const NetworkPod&, const v1::CniNetwork& network,
                                                           const CallContext&) {
  const std::string name = network.name().empty() ? "cni" : network.name();
  return WithDetail(absl::FailedPreconditionError(absl::StrCat(
                        "the pod was made without a network, and so it has no namespace for interfaces; make "
                        "it anew with one, as by `vc run --network ",
                        name, "`")),
                    {v1::ERROR_REASON_NETWORK, {}});
}

}  // namespace vcd

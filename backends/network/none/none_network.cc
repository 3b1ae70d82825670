// SPDX-License-Identifier: Apache-2.0
#include "backends/network/none/none_network.h"

#include "core/status/error_detail.h"

namespace vcd {

absl::Status NoneNetwork::Check(const v1::NetworkConfig& config) const {
  if (config.netns_path().empty()) return absl::OkStatus();
  return InvalidField("config.network_config.netns_path",
                      "network `none` joins no namespace; leave it empty, or choose another network");
}

absl::StatusOr<NetworkPlan> NoneNetwork::Attach(const std::string& pod_id, const v1::NetworkConfig& config,
                                                const CallContext& context) {
  absl::Status status = context.Check("set the network up");
  if (status.ok()) status = Check(config);
  if (!status.ok()) return WithMetadata(Annotate(status, "pod " + pod_id), "pod_id", pod_id);
  return NetworkPlan();
}

absl::Status NoneNetwork::Detach(const std::string&, const v1::NetworkConfig&, const CallContext&) {
  return absl::OkStatus();
}

}  // namespace vcd

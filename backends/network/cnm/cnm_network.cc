// SPDX-License-Identifier: Apache-2.0
#include "backends/network/cnm/cnm_network.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// Interfaces that the configuration names are joined also when they have no address.
std::vector<std::string> Named(const v1::NetworkConfig& config) {
  std::vector<std::string> names;
  for (const v1::CniNetwork& network : config.networks()) names.push_back(network.interface_name());
  return names;
}

absl::Status CheckNamesAnInterface(const v1::CniNetwork& network, const std::string& field) {
  if (network.interface_name().empty()) {
    return InvalidField(field + ".interface_name", "is empty; with network `cnm` it names what is in the namespace");
  }
  v1::CniNetwork rest = network;
  rest.clear_interface_name();
  if (rest.ByteSizeLong() == 0) return absl::OkStatus();
  return InvalidField(field,
                      "the network `cnm` joins interfaces that are in the pod's namespace, and makes none: only "
                      "`interface_name` may be set, to the name of one; for what `cni` makes the pod must be made with "
                      "that, as by `vc run --network NAME`");
}

}  // namespace

absl::Status CnmNetwork::Check(const v1::NetworkConfig& config) const {
  for (int i = 0; i < config.networks_size(); ++i) {
    const std::string field = absl::StrCat("config.network_config.networks[", i, "]");
    VCD_RETURN_IF_ERROR(CheckNamesAnInterface(config.networks(i), field));
  }
  return PodEndpoints::Check(config);
}

absl::StatusOr<std::string> CnmNetwork::Open(const NetworkPod& pod, const CallContext& context) {
  return endpoints_.OpenNamespace(pod, context);
}

absl::StatusOr<NetworkPlan> CnmNetwork::Attach(const NetworkPod& pod, const CallContext& context) {
  NetworkPlan plan;
  plan.netns_path = PodEndpoints::NamespacePath(pod);
  VCD_ASSIGN_OR_RETURN(plan.interfaces, endpoints_.JoinAll(pod, Named(pod.config), context));
  return plan;
}

absl::Status CnmNetwork::Detach(const NetworkPod& pod, const CallContext&) {
  absl::Status status = endpoints_.LeaveAll(pod);
  // What is still redirected needs its namespace to be undone in.
  if (status.ok()) status = endpoints_.RemoveNamespace(pod);
  return status;
}

absl::StatusOr<PlannedInterface> CnmNetwork::AddInterface(const NetworkPod& pod, const v1::CniNetwork& network,
                                                          const CallContext& context) {
  VCD_RETURN_IF_ERROR(CheckNamesAnInterface(network, "network"));
  return endpoints_.Join(pod, network.interface_name(), context);
}

absl::Status CnmNetwork::RemoveInterface(const NetworkPod& pod, const std::string& name, const CallContext&) {
  return endpoints_.Leave(pod, name);
}

absl::Status CnmNetwork::Verify(const NetworkPod& pod, const CallContext&) { return endpoints_.Verify(pod).status(); }

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "backends/network/cni/cni_network.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/log/logger.h"
#include "core/status/status_macros.h"

namespace vcd {

CniNetwork::CniNetwork(const Options& options)
    : directory_(filesystem_, options.config_dir, DefaultCniNetwork(options.default_network)),
      plugins_(options.plugin_dirs, options.plugin_timeout),
      queue_(filesystem_, plugins_, options.queue),
      endpoints_(filesystem_, options.endpoints),
      networks_(filesystem_, directory_, plugins_, queue_,
                [this](const NetworkPod& pod) { return endpoints_.Interfaces(pod); }) {}

absl::Status CniNetwork::Check(const v1::NetworkConfig& config) const {
  VCD_RETURN_IF_ERROR(PodEndpoints::Check(config));
  return networks_.Check(config);
}

absl::StatusOr<std::string> CniNetwork::Open(const NetworkPod& pod, const CallContext& context) {
  VCD_RETURN_IF_ERROR(context.Check("set the network up"));
  // Of an earlier life, while its namespace is there.
  VCD_RETURN_IF_ERROR(networks_.RemoveAll(pod, context));
  return endpoints_.OpenNamespace(pod, context);
}

absl::StatusOr<NetworkPlan> CniNetwork::Attach(const NetworkPod& pod, const CallContext& context) {
  NetworkPlan plan;
  plan.netns_path = PodEndpoints::NamespacePath(pod);
  VCD_ASSIGN_OR_RETURN(CniPodNetworks::Joined joined, networks_.AddAll(pod, plan.netns_path, context));
  std::vector<std::string> names;
  for (const auto& [name, network] : joined.networks) names.push_back(name);
  absl::StatusOr<std::vector<PlannedInterface>> interfaces = endpoints_.JoinAll(pod, names, context);
  if (!interfaces.ok()) {
    const absl::Status undone = networks_.RemoveAll(pod, context);
    if (!undone.ok()) LogError(pod.pod_id, absl::StrCat("undo: ", undone.message()));
    return interfaces.status();
  }
  for (PlannedInterface& planned : *interfaces) {
    const auto found = joined.networks.find(planned.interface.name());
    if (found != joined.networks.end()) planned.interface.set_network(found->second);
  }
  plan.interfaces = *std::move(interfaces);
  plan.dns = std::move(joined.dns);
  return plan;
}

absl::Status CniNetwork::Detach(const NetworkPod& pod, const CallContext& context) {
  absl::Status first = endpoints_.LeaveAll(pod);
  first.Update(networks_.RemoveAll(pod, context));
  // What is left is to be undone in its namespace.
  if (first.ok()) first = endpoints_.RemoveNamespace(pod);
  return first;
}

absl::StatusOr<PlannedInterface> CniNetwork::AddInterface(const NetworkPod& pod, const v1::CniNetwork& network,
                                                          const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(const std::string name, networks_.Add(pod, PodEndpoints::NamespacePath(pod), network, context));
  absl::StatusOr<PlannedInterface> planned = endpoints_.Join(pod, network.interface_name(), context);
  if (!planned.ok()) {
    const absl::Status undone = networks_.Undo(pod, network.interface_name(), context);
    if (!undone.ok()) LogError(pod.pod_id, absl::StrCat("undo: ", undone.message()));
    return planned.status();
  }
  planned->interface.set_network(name);
  return planned;
}

absl::Status CniNetwork::RemoveInterface(const NetworkPod& pod, const std::string& name, const CallContext& context) {
  VCD_RETURN_IF_ERROR(endpoints_.Leave(pod, name));
  return networks_.Remove(pod, name, context);
}

absl::Status CniNetwork::Verify(const NetworkPod& pod, const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(const bool unchanged, endpoints_.Verify(pod));
  // A plugin's CHECK would miss what is with the guest.
  return unchanged ? networks_.Verify(pod, context) : absl::OkStatus();
}

}  // namespace vcd

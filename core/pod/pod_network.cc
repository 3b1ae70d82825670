// SPDX-License-Identifier: Apache-2.0
#include "core/pod/pod_network.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/network/interface_names.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// Also when the operation's own time is over: a device that is half there is worse than a late answer.
constexpr absl::Duration kUndoTime = absl::Seconds(30);

absl::Status PlugIn(Pod& pod, PlannedInterface planned, const CallContext& context) {
  const v1::PodInterface& interface = planned.interface;
  const std::string id = NicId(interface.mac());
  if (!interface.pci_address().empty()) {
    return pod.machine()->AttachHostDevice(id, interface.pci_address(), context);
  }
  planned.nic.id = id;
  planned.nic.mac = interface.mac();
  if (planned.nic.mtu == 0) planned.nic.mtu = interface.mtu();
  return pod.machine()->AttachNic(std::move(planned.nic), context);
}

// Those that the pod's configuration has, by its network's default where it lists none.
std::vector<v1::CniNetwork> ConfiguredNetworks(const Pod& pod) {
  const std::shared_ptr<const v1::PodConfig> config = pod.config();
  const v1::NetworkConfig& network = config->network_config();
  if (network.networks().empty() && !pod.network().has_default()) return {};
  return NamedNetworks(network);
}

// The configuration with other networks, written when the pod's network takes such a list at all.
absl::Status SetNetworks(Pod& pod, const std::vector<v1::CniNetwork>& networks) {
  v1::NetworkConfig changed = pod.config()->network_config();
  *changed.mutable_networks() = {networks.begin(), networks.end()};
  if (!pod.network().Check(changed).ok()) return absl::OkStatus();
  return pod.ChangeConfig([&changed](v1::PodConfig& config) { *config.mutable_network_config() = changed; });
}

}  // namespace

std::string NicId(const std::string& mac) {
  return absl::StrCat("nic-", absl::StrReplaceAll(absl::AsciiStrToLower(mac), {{":", ""}}));
}

bool IsJoined(const v1::PodInterface& interface) { return !interface.mac().empty(); }

const v1::PodInterface* FindInterface(const v1::NetworkStatus& network, const std::string& name) {
  for (const v1::PodInterface& interface : network.interfaces()) {
    if (interface.name() == name) return &interface;
  }
  return nullptr;
}

void PutInterface(v1::NetworkStatus& network, const v1::PodInterface& interface) {
  for (v1::PodInterface& known : *network.mutable_interfaces()) {
    if (known.name() != interface.name()) continue;
    known = interface;
    return;
  }
  *network.add_interfaces() = interface;
}

void DropInterface(v1::NetworkStatus& network, const std::string& name) {
  auto& list = *network.mutable_interfaces();
  list.erase(std::remove_if(list.begin(), list.end(), [&](const auto& known) { return known.name() == name; }),
             list.end());
}

absl::Status CheckJoins(const Pod& pod) {
  const std::shared_ptr<const v1::PodConfig> config = pod.config();
  const auto cannot = [](const char* field, const std::string& why, const char* one_that_can) {
    return WithDetail(absl::UnimplementedError(absl::StrCat(
                          why, "; create pods with interfaces with one that does, such as `", one_that_can, "`")),
                      {v1::ERROR_REASON_NOT_IMPLEMENTED, {{"field", field}}});
  };
  if (!pod.hypervisor().capabilities().nic_hotplug) {
    return cannot("config.hypervisor",
                  absl::StrCat("hypervisor `", config->hypervisor(), "` gives its machines no network interfaces"),
                  "qemu");
  }
  if (!pod.agent().capabilities().networks) {
    return cannot("config.agent",
                  absl::StrCat("agent `", config->agent(), "` sets up no network interfaces in its guest"), "native");
  }
  return absl::OkStatus();
}

absl::Status JoinInterface(Pod& pod, PlannedInterface planned, const CallContext& context) {
  const v1::PodInterface interface = planned.interface;
  const std::string step = absl::StrCat("network interface ", interface.name());
  VCD_RETURN_IF_ERROR(context.Check(step));
  if (!IsJoined(interface)) {
    return absl::InternalError(absl::StrCat(step, ": the network tells no hardware address of it"));
  }
  absl::Status joined = PlugIn(pod, std::move(planned), context);
  // Nothing of it is in the machine then.
  if (!joined.ok()) return Annotate(joined, step);
  joined = pod.session()->SetInterface(interface, context);
  if (joined.ok()) return joined;
  const absl::Status undone = LeaveInterface(pod, interface, {absl::Now() + kUndoTime, context.cancellation});
  if (!undone.ok()) LogError(pod.id(), absl::StrCat("undo: ", undone.message()));
  return Annotate(joined, absl::StrCat(step, ": set it up in the guest"));
}

absl::StatusOr<v1::NetworkStatus> JoinNetwork(Pod& pod, NetworkPlan plan, const CallContext& context) {
  v1::NetworkStatus network;
  network.set_netns_path(plan.netns_path);
  if (plan.dns.ByteSizeLong() != 0) *network.mutable_dns() = plan.dns;
  for (PlannedInterface& planned : plan.interfaces) {
    *network.add_interfaces() = planned.interface;
    VCD_RETURN_IF_ERROR(JoinInterface(pod, std::move(planned), context));
  }
  return network;
}

absl::Status LeaveInterface(Pod& pod, const v1::PodInterface& interface, const CallContext& context) {
  const std::string step = absl::StrCat("take network interface ", interface.name(), " away");
  const absl::Status down = pod.session()->RemoveInterface(interface.mac(), context);
  // The guest need not agree: its driver lets the device go.
  if (!down.ok()) LogWarning(pod.id(), absl::StrCat(step, ": the guest: ", down.message()));
  const std::string id = NicId(interface.mac());
  return Annotate(interface.pci_address().empty() ? pod.machine()->DetachNic(id, context)
                                                  : pod.machine()->DetachHostDevice(id, context),
                  step);
}

absl::Status LeaveFormerNetwork(Pod& pod, const CallContext& context) {
  const state::v1::VirtualMachine machine = pod.machine()->Record();
  for (const state::v1::PciDevice& device : machine.pci_devices()) {
    v1::PodInterface former;
    former.set_name(device.mac());
    former.set_mac(device.mac());
    VCD_RETURN_IF_ERROR(Annotate(LeaveInterface(pod, former, context), "leave the network of the checkpoint"));
  }
  return absl::OkStatus();
}

absl::Status AddToConfig(Pod& pod, const v1::CniNetwork& network) {
  std::vector<v1::CniNetwork> networks = ConfiguredNetworks(pod);
  networks.push_back(network);
  return SetNetworks(pod, networks);
}

absl::Status DropFromConfig(Pod& pod, const std::string& interface_name) {
  std::vector<v1::CniNetwork> networks = ConfiguredNetworks(pod);
  const auto kept = std::remove_if(networks.begin(), networks.end(), [&](const v1::CniNetwork& network) {
    return network.interface_name() == interface_name;
  });
  if (kept == networks.end()) return absl::OkStatus();
  networks.erase(kept, networks.end());
  return SetNetworks(pod, networks);
}

void ClaimPorts(const Pod& pod) {
  const state::v1::PodRecord record = pod.record();
  const bool has_ended = record.state() == v1::POD_STATE_STOPPED || record.state() == v1::POD_STATE_FAILED;
  if (has_ended && !record.has_vm() && !record.has_under_way() && record.kept().empty()) return;
  const absl::Status taken = pod.environment().ports.Take(pod.id(), pod.config()->network_config());
  if (!taken.ok()) LogWarning(pod.id(), std::string(taken.message()));
}

void ReconcileNetwork(Pod& pod, const CallContext& context) {
  const state::v1::PodRecord record = pod.record();
  if (!record.has_network()) return;
  for (const v1::PodInterface& interface : record.network().interfaces()) {
    if (IsJoined(interface)) continue;
    // The machine has lost it already, as all that no record names.
    absl::Status gone = pod.network().RemoveInterface(pod.AsNetworkPod(*pod.config()), interface.name(), context);
    if (gone.ok()) gone = DropFromConfig(pod, interface.name());
    if (gone.ok()) {
      (void)pod.Change(
          [&](state::v1::PodRecord& current) { DropInterface(*current.mutable_network(), interface.name()); },
          /*fact=*/true);
    }
    LogInfo(pod.id(), absl::StrCat("network interface ", interface.name(),
                                   ": was on its way in or out: ", gone.ok() ? "taken away" : gone.message()));
  }
  const absl::Status as_it_was = pod.network().Verify(pod.AsNetworkPod(*pod.config()), context);
  if (!as_it_was.ok()) LogWarning(pod.id(), absl::StrCat("the network is not as it was: ", as_it_was.message()));
}

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/model/pod_validation.h"
#include "core/model/request_id.h"
#include "core/network/interface_names.h"
#include "core/pod/live_pod_runtime.h"
#include "core/pod/pod_network.h"
#include "core/pod/pod_state_machine.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// A guest that is busy lets a device go when it gets to it.
constexpr absl::Duration kCeiling = absl::Minutes(1);

CallContext UndoContext(const CallContext& caller) { return {absl::Now() + absl::Seconds(30), caller.cancellation}; }

void LogUndo(const Pod& pod, absl::string_view what, const absl::Status& status) {
  if (!status.ok()) LogError(pod.id(), absl::StrCat("undo: ", what, ": ", status.message()));
}

// Of the ports that it has, those that its configuration has.
void KeepPorts(const Pod& pod) { (void)pod.environment().ports.Take(pod.id(), pod.config()->network_config()); }

std::string FreeInterfaceName(const v1::NetworkConfig& config, const v1::NetworkStatus& network) {
  std::set<std::string> taken;
  for (const v1::CniNetwork& configured : config.networks()) taken.insert(configured.interface_name());
  for (const v1::PodInterface& interface : network.interfaces()) taken.insert(interface.name());
  int number = 0;
  while (taken.count(absl::StrCat("eth", number)) != 0) ++number;
  return absl::StrCat("eth", number);
}

// The interface that an earlier run of the request brought.
std::string LastInterface(const v1::Pod& pod, const v1::CniNetwork& asked) {
  if (!asked.interface_name().empty()) return asked.interface_name();
  std::string name;
  for (const v1::PodInterface& interface : pod.network().interfaces()) {
    if (asked.name().empty() || interface.network() == asked.name()) name = interface.name();
  }
  return name;
}

// How far an attachment had come.
struct AttachProgress {
  bool added = false;   // To the network.
  bool joined = false;  // To the machine.
};

// What is left of it keeps its name on record, for the next detachment or the next daemon.
void UndoAttach(Pod& pod, const NetworkPod& network_pod, const v1::PodInterface& interface, AttachProgress progress,
                const CallContext& caller) {
  const CallContext undo = UndoContext(caller);
  if (progress.joined) LogUndo(pod, "the machine", LeaveInterface(pod, interface, undo));
  absl::Status undone;
  if (progress.added) undone = pod.network().RemoveInterface(network_pod, interface.name(), undo);
  if (undone.ok() && progress.joined) undone = DropFromConfig(pod, interface.name());
  LogUndo(pod, "the network", undone);
  if (!undone.ok()) return;
  (void)pod.Change([&](state::v1::PodRecord& record) { DropInterface(*record.mutable_network(), interface.name()); },
                   /*fact=*/true);
}

}  // namespace

void LivePodRuntime::AttachInterface(const std::string& pod_id, const v1::CniNetwork& network,
                                     const MutationOptions& options,
                                     std::function<void(absl::StatusOr<AttachedInterface>)> done) {
  Operation operation;
  operation.name = "AttachInterface";
  operation.options = options;
  operation.fingerprint = RequestFingerprint({operation.name, pod_id, FingerprintPart(network)});
  operation.ceiling = kCeiling;
  auto name = std::make_shared<std::string>();
  SubmitForPod(
      pod_id, operation,
      [network, name](Pod& pod, Grant& grant) {
        v1::CniNetwork named = network;
        const absl::Status attached = AttachInterfaceBody(pod, &named, grant);
        *name = named.interface_name();
        return attached;
      },
      [network, name, done = std::move(done)](absl::StatusOr<v1::Pod> pod) {
        if (!pod.ok()) return done(pod.status());
        const std::string interface = name->empty() ? LastInterface(*pod, network) : *name;
        done(AttachedInterface{*std::move(pod), interface});
      });
}

absl::Status LivePodRuntime::AttachInterfaceBody(Pod& pod, v1::CniNetwork* network, const Grant& grant) {
  VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kAttachInterface, pod.id(), pod.state()));
  VCD_RETURN_IF_ERROR(Annotate(CheckJoins(pod), absl::StrCat("pod ", pod.id())));
  const std::shared_ptr<const v1::PodConfig> config = pod.config();
  const v1::NetworkStatus before = pod.record().network();
  if (network->interface_name().empty()) {
    network->set_interface_name(FreeInterfaceName(config->network_config(), before));
  }
  const std::string name = network->interface_name();
  VCD_RETURN_IF_ERROR(CheckInterfaceName("network.interface_name", name));
  if (FindInterface(before, name) != nullptr) {
    return absl::AlreadyExistsError(absl::StrCat("pod ", pod.id(), ": it has a network interface ", name,
                                                 " already; choose another name, or detach that one first"));
  }
  v1::PodConfig grown = *config;
  *grown.mutable_network_config()->add_networks() = *network;
  VCD_RETURN_IF_ERROR(CheckConfigSize(grown));
  VCD_RETURN_IF_ERROR(
      Annotate(pod.environment().ports.Take(pod.id(), grown.network_config()), absl::StrCat("pod ", pod.id())));
  const absl::Cleanup keep_ports = [&pod] { KeepPorts(pod); };

  // The intent: recovery takes away what has a name and no hardware address.
  VCD_RETURN_IF_ERROR(pod.Change([&](state::v1::PodRecord& record) {
    v1::PodInterface begun;
    begun.set_name(name);
    PutInterface(*record.mutable_network(), begun);
  }));
  const NetworkPod network_pod = pod.AsNetworkPod(*config);
  absl::StatusOr<PlannedInterface> planned = pod.network().AddInterface(network_pod, *network, grant.context);
  absl::Status status = planned.status();
  v1::PodInterface interface;
  if (status.ok()) interface = planned->interface;
  interface.set_name(name);
  bool joined = false;
  if (status.ok()) {
    status = JoinInterface(pod, *std::move(planned), grant.context);
    joined = status.ok();
  }
  if (status.ok()) status = AddToConfig(pod, *network);
  if (status.ok()) {
    status = pod.Change([&](state::v1::PodRecord& record) {
      PutInterface(*record.mutable_network(), interface);
      *record.mutable_vm() = pod.machine()->Record();
      Remember(record, grant.request);
    });
  }
  if (!status.ok()) {
    UndoAttach(pod, network_pod, interface, {planned.ok(), joined}, grant.context);
    return Annotate(status, absl::StrCat("pod ", pod.id(), ": attach ", name));
  }
  LogInfo(pod.id(), absl::StrCat("network interface ", name, " attached"));
  return absl::OkStatus();
}

void LivePodRuntime::DetachInterface(const std::string& pod_id, const std::string& interface_name,
                                     const MutationOptions& options,
                                     std::function<void(absl::StatusOr<DetachedInterface>)> done) {
  Operation operation;
  operation.name = "DetachInterface";
  operation.options = options;
  operation.fingerprint = RequestFingerprint({operation.name, pod_id, interface_name});
  operation.ceiling = kCeiling;
  // A request that was done before found what it took away.
  auto existed = std::make_shared<bool>(true);
  SubmitForPod(
      pod_id, operation,
      [interface_name, existed](Pod& pod, Grant& grant) {
        return DetachInterfaceBody(pod, interface_name, existed.get(), grant);
      },
      [existed, done = std::move(done)](absl::StatusOr<v1::Pod> pod) {
        pod.ok() ? done(DetachedInterface{*std::move(pod), *existed}) : done(pod.status());
      });
}

absl::Status LivePodRuntime::DetachInterfaceBody(Pod& pod, const std::string& name, bool* existed, const Grant& grant) {
  VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kDetachInterface, pod.id(), pod.state()));
  if (name.empty()) return InvalidField("interface_name", "is empty");
  const v1::NetworkStatus before = pod.record().network();
  const v1::PodInterface* found = FindInterface(before, name);
  *existed = found != nullptr;
  if (!*existed) return pod.RememberDone(grant.request);
  const std::string step = absl::StrCat("pod ", pod.id(), ": detach ", name);

  // The intent: what has a name and no hardware address is on its way.
  VCD_RETURN_IF_ERROR(pod.Change([&](state::v1::PodRecord& record) {
    v1::PodInterface going = *found;
    going.clear_mac();
    PutInterface(*record.mutable_network(), going);
  }));
  const v1::NetworkConfig configured = pod.config()->network_config();
  absl::Status left = DropFromConfig(pod, name);
  const bool dropped = left.ok();
  if (left.ok() && IsJoined(*found)) left = LeaveInterface(pod, *found, grant.context);
  if (!left.ok()) {
    if (dropped) {
      LogUndo(pod, "the configuration",
              pod.ChangeConfig([&](v1::PodConfig& config) { *config.mutable_network_config() = configured; }));
    }
    (void)pod.Change([&](state::v1::PodRecord& record) { PutInterface(*record.mutable_network(), *found); },
                     /*fact=*/true);
    return Annotate(left, step);
  }
  const absl::Status status = pod.network().RemoveInterface(pod.AsNetworkPod(*pod.config()), name, grant.context);
  (void)pod.Change(
      [&](state::v1::PodRecord& record) {
        *record.mutable_vm() = pod.machine()->Record();
        if (!status.ok()) return;
        DropInterface(*record.mutable_network(), name);
        Remember(record, grant.request);
      },
      /*fact=*/true);
  if (!status.ok()) {
    return Annotate(status, absl::StrCat(step, ": the machine has it no more, and the network does; detach it again"));
  }
  KeepPorts(pod);
  LogInfo(pod.id(), absl::StrCat("network interface ", name, " detached"));
  return absl::OkStatus();
}

}  // namespace vcd

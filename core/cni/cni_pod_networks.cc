// SPDX-License-Identifier: Apache-2.0
#include "core/cni/cni_pod_networks.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/cni/cni_claims.h"
#include "core/cni/cni_json.h"
#include "core/cni/cni_result.h"
#include "core/model/field_checks.h"
#include "core/network/interface_names.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr char kField[] = "config.network_config.networks";
// A machine has no room for more.
constexpr int kMaxNetworks = 64;
// For all plugins of a pod that goes: a plugin that hangs must not keep the pod from going.
constexpr absl::Duration kReleaseTime = absl::Seconds(10);

std::string RecordFile(const NetworkPod& pod) { return absl::StrCat(pod.state_dir, "/cni.json"); }

// Whether the pod's namespace is nobody else's.
bool HasOwnNamespace(const v1::NetworkConfig& config) { return config.netns_path().empty() && config.netns_pid() == 0; }

// Also when the caller's time is over.
CallContext ReleaseContext(const CallContext& caller) { return {absl::Now() + kReleaseTime, caller.cancellation}; }

}  // namespace

absl::StatusOr<CniAttachment> CniPodNetworks::Plan(const std::string& pod_id, const v1::CniNetwork& network,
                                                   const std::string& field) const {
  const absl::StatusOr<CniConfiguration> found = directory_.Find(network.name());
  if (absl::IsNotFound(found.status())) return InvalidField(absl::StrCat(field, ".name"), found.status().message());
  if (!found.ok()) return Annotate(found.status(), absl::StrCat("network `", network.name(), "`"));
  return PlanCniAttachment(pod_id, network, *found, field);
}

absl::Status CniPodNetworks::Check(const v1::NetworkConfig& config) const {
  if (config.networks_size() > kMaxNetworks) {
    return InvalidField(kField, absl::StrCat("has ", config.networks_size(), " networks; at most ", kMaxNetworks));
  }
  const std::vector<v1::CniNetwork> networks = NamedNetworks(config);
  std::set<std::string> taken;
  for (size_t i = 0; i < networks.size(); ++i) {
    const std::string field = Element(kField, static_cast<int>(i));
    const std::string name_field = absl::StrCat(field, ".interface_name");
    VCD_RETURN_IF_ERROR(CheckInterfaceName(name_field, networks[i].interface_name()));
    if (!taken.insert(networks[i].interface_name()).second) {
      return InvalidField(name_field, absl::StrCat(networks[i].interface_name(), " is there twice"));
    }
    VCD_ASSIGN_OR_RETURN(const CniAttachment attachment, Plan("", networks[i], field));
    for (const std::string& program : attachment.configuration.Programs()) {
      const absl::Status there = plugins_.Find(program).status();
      if (!there.ok()) return Annotate(there, absl::StrCat("network `", attachment.configuration.name, "`"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::DnsConfig> CniPodNetworks::AddEntry(const NetworkPod& pod, CniAttachment attachment,
                                                       Entries& entries, const CallContext& context) {
  entries.push_back({std::move(attachment)});
  VCD_RETURN_IF_ERROR(Save(pod, entries));
  CniAttachment& added = entries.back().attachment;
  VCD_ASSIGN_OR_RETURN(CniResult result, AddCniAttachment(
                                             plugins_, added, [&] { return Save(pod, entries); }, context));
  VCD_ASSIGN_OR_RETURN(const std::vector<v1::PodInterface> there, look_(pod));
  VCD_RETURN_IF_ERROR(CheckCniClaims(added, result, there));
  return std::move(result.dns);
}

absl::StatusOr<CniPodNetworks::Joined> CniPodNetworks::AddAll(const NetworkPod& pod, const std::string& netns_path,
                                                              const CallContext& context) {
  VCD_RETURN_IF_ERROR(context.Check("attach networks"));
  VCD_RETURN_IF_ERROR(RemoveAll(pod, context));
  std::vector<CniAttachment> planned;
  for (const v1::CniNetwork& network : NamedNetworks(pod.config)) {
    VCD_ASSIGN_OR_RETURN(CniAttachment attachment,
                         Plan(pod.pod_id, network, Element(kField, static_cast<int>(planned.size()))));
    attachment.netns_path = netns_path;
    planned.push_back(std::move(attachment));
  }
  Joined joined;
  Entries entries;
  for (CniAttachment& attachment : planned) {
    joined.networks[attachment.interface_name] = attachment.configuration.name;
    const absl::StatusOr<v1::DnsConfig> dns = AddEntry(pod, std::move(attachment), entries, context);
    if (!dns.ok()) {
      const absl::Status undone = DeleteOrQueue(pod, std::move(entries), context);
      return undone.ok() ? dns.status() : Annotate(dns.status(), absl::StrCat("undo: ", undone.message()));
    }
    MergeDns(*dns, joined.dns);
  }
  return joined;
}

absl::Status CniPodNetworks::DeleteOrQueue(const NetworkPod& pod, Entries entries, const CallContext& context) {
  const CallContext release = ReleaseContext(context);
  absl::Status first;
  Entries left;
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    const absl::Status deleted = DeleteCniAttachment(plugins_, entry->attachment, release);
    if (deleted.ok()) continue;
    const absl::Status queued = queue_.Add(entry->attachment, HasOwnNamespace(pod.config), deleted);
    if (queued.ok()) continue;
    first.Update(queued);
    left.insert(left.begin(), std::move(*entry));
  }
  first.Update(Save(pod, left));
  return first;
}

absl::Status CniPodNetworks::RemoveAll(const NetworkPod& pod, const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(Entries entries, Load(pod));
  return entries.empty() ? absl::OkStatus() : DeleteOrQueue(pod, std::move(entries), context);
}

absl::StatusOr<std::string> CniPodNetworks::Add(const NetworkPod& pod, const std::string& netns_path,
                                                const v1::CniNetwork& network, const CallContext& context) {
  const std::string& name = network.interface_name();
  VCD_RETURN_IF_ERROR(CheckInterfaceName("network.interface_name", name));
  VCD_ASSIGN_OR_RETURN(Entries entries, Load(pod));
  const auto same = std::find_if(entries.begin(), entries.end(),
                                 [&](const Entry& entry) { return entry.attachment.interface_name == name; });
  if (same != entries.end()) {
    if (!same->leaving) {
      return absl::AlreadyExistsError(absl::StrCat("network interface ", name, " of network `",
                                                   same->attachment.configuration.name, "` is there already"));
    }
    VCD_RETURN_IF_ERROR(Remove(pod, name, context));
    VCD_ASSIGN_OR_RETURN(entries, Load(pod));
  }
  VCD_ASSIGN_OR_RETURN(CniAttachment attachment, Plan(pod.pod_id, network, "network"));
  attachment.netns_path = netns_path;
  const std::string network_name = attachment.configuration.name;
  const absl::Status added = AddEntry(pod, std::move(attachment), entries, context).status();
  if (added.ok()) return network_name;
  const absl::Status undone = Undo(pod, name, context);
  return undone.ok() ? added : Annotate(added, absl::StrCat("undo: ", undone.message()));
}

absl::Status CniPodNetworks::Remove(const NetworkPod& pod, const std::string& interface_name,
                                    const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(Entries entries, Load(pod));
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) {
    return entry.attachment.interface_name == interface_name;
  });
  if (found == entries.end()) return absl::OkStatus();
  const absl::Status deleted = DeleteCniAttachment(plugins_, found->attachment, context);
  if (deleted.ok()) {
    entries.erase(found);
  } else {
    found->leaving = true;
  }
  const absl::Status saved = Save(pod, entries);
  return deleted.ok() ? saved : deleted;
}

absl::Status CniPodNetworks::Undo(const NetworkPod& pod, const std::string& interface_name,
                                  const CallContext& context) {
  return Remove(pod, interface_name, ReleaseContext(context));
}

absl::Status CniPodNetworks::Verify(const NetworkPod& pod, const CallContext& context) const {
  VCD_ASSIGN_OR_RETURN(const Entries entries, Load(pod));
  for (const Entry& entry : entries) {
    if (!entry.leaving) VCD_RETURN_IF_ERROR(CheckCniAttachment(plugins_, entry.attachment, context));
  }
  return absl::OkStatus();
}

absl::StatusOr<CniPodNetworks::Entries> CniPodNetworks::Load(const NetworkPod& pod) const {
  const std::string file = RecordFile(pod);
  const absl::StatusOr<std::string> text = filesystem_.ReadFile(file);
  if (absl::IsNotFound(text.status())) return Entries();
  VCD_RETURN_IF_ERROR(text.status());
  const absl::StatusOr<CniJson> json = ParseCniRecord(*text, file);
  const auto unreadable = [&](absl::string_view problem) {
    return absl::DataLossError(absl::StrCat(
        file, ": ", problem, "; remove the file to go on, what the networks have reserved for the pod stays reserved"));
  };
  if (!json.ok()) return unreadable(json.status().message());
  const auto list = json->find("attachments");
  if (list == json->end() || !list->is_array()) return unreadable("`attachments` must be an array");
  Entries entries;
  for (const CniJson& element : *list) {
    absl::StatusOr<CniAttachment> attachment =
        element.is_object() ? CniAttachment::FromJson(element) : absl::DataLossError("an attachment is no object");
    if (!attachment.ok()) return unreadable(attachment.status().message());
    const auto leaving = element.find("leaving");
    entries.push_back({*std::move(attachment), leaving != element.end() && *leaving == true});
  }
  return entries;
}

absl::Status CniPodNetworks::Save(const NetworkPod& pod, const Entries& entries) {
  const std::string file = RecordFile(pod);
  if (entries.empty()) {
    VCD_RETURN_IF_ERROR(filesystem_.RemoveFile(file));
    return filesystem_.SyncDirectory(pod.state_dir);
  }
  CniJson list = CniJson::array();
  for (const Entry& entry : entries) {
    CniJson element = entry.attachment.ToJson();
    element["leaving"] = entry.leaving;
    list.push_back(std::move(element));
  }
  return filesystem_.ReplaceFile(file, CniText(CniJson{{"attachments", list}}));
}

}  // namespace vcd

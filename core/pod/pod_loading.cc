// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/pod/container_attachments.h"
#include "core/pod/live_pod_runtime.h"
#include "core/pod/pod_hooks.h"
#include "core/pod/pod_network.h"
#include "core/pod/pod_record.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// The record of a pod of which only the configuration survived.
state::v1::PodRecord RecordAfterReboot(const v1::PodConfig& config) {
  state::v1::PodRecord record;
  record.set_pod_id(config.id());
  record.set_state(v1::POD_STATE_STOPPED);
  record.set_reason(kHostRebooted);
  for (const v1::ContainerConfig& container : config.containers()) {
    state::v1::ContainerRecord& known = *record.add_containers();
    known.set_id(container.id());
    known.set_state(v1::CONTAINER_STATE_STOPPED);
    known.set_reason(kHostRebooted);
  }
  // Nobody knows whether it ran.
  MarkPoststopDue(config, record);
  return record;
}

// kDataLoss for what no release writes: a word that was damaged is read as none.
absl::Status CheckRecord(const state::v1::PodRecord& record) {
  if (record.state() == v1::POD_STATE_UNSPECIFIED) return absl::DataLossError("state.json: names no known state");
  if (record.has_under_way() && record.under_way().intent() == state::v1::INTENT_UNSPECIFIED) {
    return absl::DataLossError("state.json: names no known operation under way");
  }
  for (const state::v1::ContainerRecord& container : record.containers()) {
    if (container.state() == v1::CONTAINER_STATE_UNSPECIFIED) {
      return absl::DataLossError(absl::StrCat("state.json: names no known state of container ", container.id()));
    }
  }
  return absl::OkStatus();
}

// A pod of which a record cannot be read: it can be looked at, and stopped or deleted, which ends its VM if that runs.
state::v1::PodRecord DamagedRecord(const std::string& pod_id, const v1::PodConfig& config, const std::string& reason,
                                   const state::v1::VirtualMachine& machine) {
  state::v1::PodRecord record;
  if (machine.has_process()) *record.mutable_vm() = machine;
  record.set_pod_id(pod_id);
  record.set_state(v1::POD_STATE_FAILED);
  record.set_reason(reason);
  for (const v1::ContainerConfig& container : config.containers()) {
    state::v1::ContainerRecord& known = *record.add_containers();
    known.set_id(container.id());
    known.set_state(v1::CONTAINER_STATE_FAILED);
    known.set_reason(reason);
  }
  MarkPoststopDue(config, record);
  return record;
}

}  // namespace

absl::Status LivePodRuntime::Recover() {
  opened_ = absl::Now();
  VCD_RETURN_IF_ERROR(store_.CreateRoots());
  absl::StatusOr<FileLock> lock =
      FileLock::Acquire(store_.layout().DaemonLockFile(), FileLockMode::kExclusive, /*nonblocking=*/true);
  if (!lock.ok()) {
    const char* in_use = absl::IsUnavailable(lock.status())
                             ? ": another vcd is serving it; stop that one or choose another directory with --run-dir"
                             : "";
    return Annotate(lock.status(), absl::StrCat("run directory ", options_.run_dir, in_use));
  }
  daemon_lock_ = *std::move(lock);
  VCD_ASSIGN_OR_RETURN(const StoredPods stored, store_.ListPodIds());
  for (const std::string& path : stored.foreign_paths) LogWarning("", absl::StrCat("not a pod's, left alone: ", path));
  LoadAll(stored);
  std::vector<Hypervisor*> hypervisors;
  for (const auto& [name, hypervisor] : backends_.hypervisors) hypervisors.push_back(hypervisor.get());
  std::set<std::string> warm_machines;
  for (const std::shared_ptr<Pod>& pod : registry_.Pods()) warm_machines.insert(pod->warm_machine());
  // Before any pod is started: one may be that of a pod whose record is gone.
  templates_.warm().EndLeftovers(hypervisors, warm_machines);
  work_.Post([this, hypervisors] { templates_.Open(hypervisors); });
  ReconcileAll();
  return absl::OkStatus();
}

void LivePodRuntime::LoadAll(const StoredPods& stored) {
  const std::vector<std::string>& pod_ids = stored.pod_ids;
  // Nobody is served before this ends, and most of it is parsing: where there are many pods every processor helps.
  constexpr size_t kPodsForAThread = 32;
  std::atomic<size_t> next{0};
  const auto load = [&] {
    for (size_t i = next++; i < pod_ids.size(); i = next++) Load(pod_ids[i], stored);
  };
  const size_t threads = std::min<size_t>(std::thread::hardware_concurrency(), pod_ids.size() / kPodsForAThread);
  for (size_t helper = 1; helper < threads; ++helper) work_.Post(load);
  load();
  work_.WaitIdle();
}

absl::Status LivePodRuntime::CheckBackends(const v1::PodConfig& config) const {
  const auto missing = [](absl::string_view kind, const std::string& name) {
    return absl::FailedPreconditionError(
        absl::StrCat("the pod's ", kind, " is `", name, "`, which this vcd does not have; run one that does"));
  };
  if (backends_.hypervisors.count(config.hypervisor()) == 0) return missing("hypervisor", config.hypervisor());
  if (backends_.agents.count(config.agent()) == 0) return missing("agent", config.agent());
  if (backends_.networks.count(config.network()) == 0) return missing("network", config.network());
  return absl::OkStatus();
}

std::string LivePodRuntime::DescribeDamage(const std::string& pod_id, bool config_readable,
                                           const absl::Status& damage) {
  const absl::StatusOr<std::string> copy = store_.Quarantine(pod_id, std::string(damage.message()));
  const std::string reason =
      absl::StrCat(kRecordDamaged, damage.message(), copy.ok() ? absl::StrCat(" (a copy is in ", *copy, ")") : "",
                   config_readable ? "; stop the pod with force, which ends its VM if that runs, and start it anew"
                                   : "; delete the pod with force, which ends its VM if that runs");
  LogError(pod_id, reason);
  if (!copy.ok()) LogError(pod_id, std::string(copy.status().message()));
  return reason;
}

void LivePodRuntime::Load(const std::string& pod_id, const StoredPods& stored) {
  const absl::Status cleaned = store_.RemoveUnfinished(pod_id, stored);
  if (!cleaned.ok()) LogError(pod_id, std::string(cleaned.message()));
  const std::string state_dir = store_.layout().PodStateDir(pod_id);
  absl::StatusOr<v1::PodConfig> config =
      stored.IsForeign(state_dir)
          ? absl::StatusOr<v1::PodConfig>(absl::DataLossError(absl::StrCat(state_dir, ": is no directory")))
          : store_.LoadConfig(pod_id);
  absl::StatusOr<state::v1::PodRecord> record = store_.LoadRecord(pod_id);
  const bool config_missing = absl::IsNotFound(config.status());
  const bool record_missing = absl::IsNotFound(record.status());
  // What keeps the pod from being started again, and what only keeps its machine from being known.
  absl::Status config_damage, record_damage;
  if (!record.ok() && !record_missing) record_damage = record.status();
  if (record.ok()) record_damage = CheckRecord(*record);
  if (!config.ok() && !config_missing) config_damage = config.status();
  if (config.ok()) config_damage = CheckBackends(*config);
  if (config_missing && record.ok() && record_damage.ok() && !IsAppearingOrGoing(*record)) {
    config_damage = absl::DataLossError(absl::StrCat(store_.layout().ConfigFile(pod_id), ": is not there"));
  }
  absl::Status damage = config_damage;
  damage.Update(record_damage);
  if (!damage.ok()) {
    // Who deletes the pod ends it.
    const state::v1::VirtualMachine known_machine = record.ok() ? record->vm() : state::v1::VirtualMachine();
    const std::string warm_machine = record.ok() ? record->warm_machine() : "";
    record = DamagedRecord(pod_id, config.ok() ? *config : v1::PodConfig(),
                           DescribeDamage(pod_id, config_damage.ok() && config.ok(), damage), known_machine);
    record->set_warm_machine(warm_machine);
  } else if (config.ok() && record_missing) {
    record = RecordAfterReboot(*config);
  } else if (record_missing) {
    // Directories without any record: a creation or a deletion got no further.
    record = state::v1::PodRecord();
    record->set_pod_id(pod_id);
    record->set_state(v1::POD_STATE_CREATING);
    record->mutable_under_way()->set_intent(state::v1::INTENT_CREATE);
  }
  if (!config.ok()) {
    config = v1::PodConfig();
    config->set_id(pod_id);
  }
  std::shared_ptr<Pod> pod = MakePod(*config, *std::move(record));
  // Before anybody is served: what this pod writes to is not to be given to another.
  ClaimDisks(*pod);
  ClaimPorts(*pod);
  if (config_missing && damage.ok()) {
    // Should that fail, nothing but a deletion may come: what is written as its configuration would be an empty one.
    config_damage = absl::FailedPreconditionError(absl::StrCat(
        "pod ", pod_id, ": its creation or deletion was cut off and is still to be cleaned up; delete it"));
  }
  if (!config_damage.ok()) pod->SetConfigDamage(config_damage);
  // Its id is in the list once.
  (void)registry_.Add(pod, std::make_shared<const PodSnapshot>(pod->View()));
}

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/os/process.h"
#include "core/pod/container_attachments.h"
#include "core/pod/container_lifecycle.h"
#include "core/pod/live_pod_runtime.h"
#include "core/pod/machine_resize.h"
#include "core/pod/pod_hooks.h"
#include "core/pod/pod_network.h"
#include "core/pod/pod_state_machine.h"
#include "core/pod/pod_tear_down.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr char kHostRebooted[] = "HOST_REBOOTED: the host was restarted; start the pod to boot it again";

constexpr char kRecordDamaged[] = "RECORD_DAMAGED: ";

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

// A full disk must not cost a machine that is well; the record is written with the next change.
absl::Status IgnoreStorage(const absl::Status& status) {
  const std::optional<ErrorDetail> detail = DetailOf(status);
  return detail.has_value() && detail->reason == v1::ERROR_REASON_STORAGE ? absl::OkStatus() : status;
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

void LivePodRuntime::ReconcileAll() {
  const std::vector<std::shared_ptr<Pod>> pods = registry_.Pods();
  if (pods.empty()) return metrics_.Reconciled(absl::Now() - opened_);
  {
    MutexLock lock(&mu_);
    reconciling_ = pods.size();
  }
  for (const std::shared_ptr<Pod>& pod : pods) {
    pod->BeginRecovery();
    // The lock is asked for before anybody is served, so whatever comes for this pod waits behind.
    Operation operation;
    operation.name = "reconciliation after a restart";
    operation.metric = "Reconcile";
    operation.options.deadline = absl::InfiniteFuture();
    operation.ceiling = options_.boot_timeout + HookTime(*pod->config(), options_);
    Submit(
        pod->id(), operation,
        [this](Pod& pod, Grant& grant) {
          const RecoveryOutcome outcome = Reconcile(pod, grant);
          metrics_.PodRecovered(outcome);
          return outcome == RecoveryOutcome::kPostponed ? ShuttingDown() : absl::OkStatus();
        },
        [this, pod](const absl::Status& status) {
          pod->EndRecovery(status);
          MutexLock lock(&mu_);
          if (--reconciling_ > 0) return;
          metrics_.Reconciled(absl::Now() - opened_);
          reconciled_.NotifyAll();
        });
  }
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

void LivePodRuntime::Vanish(Pod& pod, const Grant& grant) {
  TearDownOptions options;
  options.hooks = PoststopLimits(grant);
  const absl::StatusOr<Released> released = TearDown(pod, environment_, options);
  absl::Status status = released.status();
  // The next deletion, or the next daemon, tries again.
  if (released.ok() && !released->kept.empty()) status = absl::UnavailableError(absl::StrJoin(released->kept, "; "));
  if (status.ok() && !PoststopDue(pod.record()).empty())
    status = absl::UnavailableError("poststop hooks were cut short");
  if (status.ok()) status = store_.RemovePod(pod.id());
  if (!status.ok()) {
    LogError(pod.id(), absl::StrCat("clean up: ", status.message()));
    return;
  }
  Forget(pod.id());
}

void LivePodRuntime::DropUnfinishedContainer(Pod& pod, const state::v1::ContainerRecord& container,
                                             const Grant& grant) {
  const absl::Status removed = RemoveFromGuest(pod, container, {absl::Now() + absl::Seconds(10), nullptr});
  if (!removed.ok()) LogError(pod.id(), absl::StrCat("undo container ", container.id(), ": ", removed.message()));
  pod.RemoveProcesses(container.id(), KilledStatus());
  RunContainerPoststop(pod, container.id(), PoststopLimits(grant));
  (void)RemoveContainerLog(filesystem_, pod.LogPath(container.id()));
  (void)ForgetContainer(pod, container.id(), {});
  LogInfo(pod.id(), absl::StrCat("container ", container.id(),
                                 container.removing() ? ": its deletion was interrupted: finished"
                                                      : ": its creation was interrupted: undone"));
}

RecoveryOutcome LivePodRuntime::Reconcile(Pod& pod, Grant& grant) {
  const CallContext& context = grant.context;
  const state::v1::PodRecord record = pod.record();
  const state::v1::Operation& under_way = record.under_way();
  TearDownOptions tear_down;
  tear_down.hooks = PoststopLimits(grant);
  switch (under_way.intent()) {
    case state::v1::INTENT_CREATE:
      LogInfo(pod.id(), "its creation was interrupted: undone");
      Vanish(pod, grant);
      return RecoveryOutcome::kUndone;
    case state::v1::INTENT_DELETE:
      LogInfo(pod.id(), "its deletion was interrupted: finished");
      Vanish(pod, grant);
      return RecoveryOutcome::kFinished;
    case state::v1::INTENT_START:
      if (record.has_vm()) break;
      LogInfo(pod.id(), "its start was interrupted: undone");
      tear_down.reason = "its start was interrupted";
      (void)TearDown(pod, environment_, tear_down);
      return RecoveryOutcome::kUndone;
    case state::v1::INTENT_STOP:
      LogInfo(pod.id(), "its stop was interrupted: finished");
      tear_down.request = under_way.request();
      (void)TearDown(pod, environment_, tear_down);
      return RecoveryOutcome::kFinished;
    case state::v1::INTENT_CHECKPOINT: {
      const std::optional<CheckpointManifest> checkpoint = SettleCheckpoint(pod, under_way);
      LogInfo(pod.id(),
              absl::StrCat("its checkpoint was interrupted: ", checkpoint.has_value() ? "finished" : "undone"));
      if (!checkpoint.has_value() || !checkpoint->stopped) break;
      tear_down.request = under_way.request();
      (void)TearDown(pod, environment_, tear_down);
      return RecoveryOutcome::kFinished;
    }
    default:
      break;
  }
  if (absl::StartsWith(record.reason(), kRecordDamaged)) return RecoveryOutcome::kDamaged;
  if (!record.has_vm()) {
    // What was stopped because the host restarted is recorded as such from now on.
    if (record.reason() == kHostRebooted) {
      // Should its VM run all the same, somebody took the record away. Two VMs of one pod must never be.
      const absl::Status reaped = pod.hypervisor().Reap(pod.run_dir(), context);
      if (!reaped.ok()) LogError(pod.id(), std::string(reaped.message()));
      (void)store_.CreatePodDirectories(pod.id());
      // Namespaces and interfaces went with the host; what was reserved for them elsewhere did not.
      const absl::Status detached = pod.network().Detach(pod.AsNetworkPod(*pod.config()), context);
      if (!detached.ok()) LogError(pod.id(), std::string(detached.message()));
      const bool poststop_done = reaped.ok() && RunPoststop(pod, PoststopDue(record), PoststopLimits(grant));
      const std::string network = pod.config()->network();
      const auto note = [&](state::v1::PodRecord& record) {
        if (poststop_done) ForgetPoststop(record);
        if (!detached.ok()) record.add_kept(absl::StrCat("network ", network, ": ", detached.message()));
        if (reaped.ok()) return;
        record.set_state(v1::POD_STATE_FAILED);
        record.set_reason(absl::StrCat("its state.json is gone, and its VM could not be ended: ", reaped.message(),
                                       "; stop the pod to try again"));
      };
      (void)pod.Change(note, /*fact=*/true);
      return RecoveryOutcome::kRebooted;
    }
    FinishPoststop(pod, PoststopLimits(grant));
    return RecoveryOutcome::kUnchanged;
  }
  const absl::Status adopted = AdoptPod(pod, record, grant);
  if (!adopted.ok()) return Abandon(pod, record, adopted, grant);
  LogInfo(pod.id(), absl::StrCat("adopted, ", StateWord(pod.state()), ", VM pid ", record.vm().process().pid()));
  pod.Tell(v1::EVENT_TYPE_POD_ADOPTED);
  return RecoveryOutcome::kAdopted;
}

absl::Status LivePodRuntime::AdoptPod(Pod& pod, const state::v1::PodRecord& record, Grant& grant) {
  const CallContext& context = grant.context;
  VmSpec spec;
  spec.pod_id = pod.id();
  spec.run_dir = pod.machine_dir();
  const std::shared_ptr<const v1::PodConfig> config = pod.config();
  spec.config = config->hypervisor_config();
  spec.annotations = {config->annotations().begin(), config->annotations().end()};
  VCD_ASSIGN_OR_RETURN(std::unique_ptr<VirtualMachine> machine, pod.hypervisor().Adopt(spec, record.vm(), context));
  pod.SetMachine(std::move(machine));
  const state::v1::Operation& under_way = record.under_way();
  switch (under_way.intent()) {
    case state::v1::INTENT_PAUSE:
      LogInfo(pod.id(), "its pause was interrupted: undone");
      VCD_RETURN_IF_ERROR(IgnoreStorage(ResumeGuest(pod, {}, context)));
      break;
    case state::v1::INTENT_RESUME:
      LogInfo(pod.id(), "its resumption was interrupted: finished");
      VCD_RETURN_IF_ERROR(IgnoreStorage(ResumeGuest(pod, under_way.request(), context)));
      break;
    case state::v1::INTENT_END_CONTAINER:
      LogInfo(pod.id(), "the forced end of a container while it was paused was interrupted: finished");
      VCD_RETURN_IF_ERROR(WakeGuest(pod, context));
      break;
    case state::v1::INTENT_CHECKPOINT: {
      const state::v1::Request done =
          SettleCheckpoint(pod, under_way).has_value() ? under_way.request() : state::v1::Request();
      if (record.state() == v1::POD_STATE_PAUSED) {
        VCD_RETURN_IF_ERROR(PauseAgain(pod, done, context));
        break;
      }
      VCD_RETURN_IF_ERROR(WakeGuest(pod, context));
      VCD_RETURN_IF_ERROR(IgnoreStorage(pod.Change([&](state::v1::PodRecord& record) { SetDone(record, done); })));
      break;
    }
    default:
      // A paused guest cannot answer: it is spoken to when it is resumed.
      if (record.state() == v1::POD_STATE_PAUSED) break;
      VCD_RETURN_IF_ERROR(ReconnectGuest(pod, context));
      FinishResize(pod, context);
  }
  if (pod.session() != nullptr) EndCopies(pod, context);
  // What is left to do does not keep a signal from its process.
  pod.EndRecovery(absl::OkStatus());
  // Containers that were being made were not promised to anybody; those that were being deleted go.
  for (const state::v1::ContainerRecord& container : record.containers()) {
    const bool configured = std::any_of(config->containers().begin(), config->containers().end(),
                                        [&](const auto& entry) { return entry.id() == container.id(); });
    if (container.state() == v1::CONTAINER_STATE_CREATING || container.removing() || !configured) {
      DropUnfinishedContainer(pod, container, grant);
    }
  }
  // A guest that stands still lets go of nothing.
  if (pod.session() != nullptr) {
    ReleaseLeftovers(pod, context);
    ReconcileNetwork(pod, context);
  }
  if (under_way.intent() == state::v1::INTENT_END_CONTAINER) return FinishContainerEnd(pod, under_way, context);
  if (under_way.intent() == state::v1::INTENT_START_CONTAINER) return FinishContainerStart(pod, under_way, grant);
  if (under_way.intent() != state::v1::INTENT_START) return absl::OkStatus();
  LogInfo(pod.id(), "its start was interrupted: finished");
  return ReleaseContainers(pod, under_way.request(), context, grant.clock);
}

absl::Status LivePodRuntime::FinishContainerStart(Pod& pod, const state::v1::Operation& under_way, const Grant& grant) {
  const CallContext& context = grant.context;
  const state::v1::PodRecord record = pod.record();
  const state::v1::ContainerRecord* container = FindContainer(record, under_way.container_id());
  // It was released already, or is gone, unless it is held.
  if (container != nullptr && container->state() == v1::CONTAINER_STATE_READY) {
    LogInfo(pod.id(), absl::StrCat("container ", container->id(), ": its start was interrupted: finished"));
    state::v1::ContainerRecord started = *container;
    VCD_RETURN_IF_ERROR(StartInGuest(pod, started, context));
    pod.Tell(v1::EVENT_TYPE_CONTAINER_STARTED, started.id());
    VCD_RETURN_IF_ERROR(pod.Change([&](state::v1::PodRecord& current) {
      state::v1::ContainerRecord* known = FindContainer(current, started.id());
      if (known != nullptr && known->state() == v1::CONTAINER_STATE_READY) *known = started;
    }));
    const absl::StatusOr<v1::Container> view = pod.ViewContainer(started.id());
    if (view.ok()) RunPoststart(pod, view->config(), context, grant.clock);
  }
  return pod.Change([&](state::v1::PodRecord& current) { SetDone(current, under_way.request()); });
}

absl::Status LivePodRuntime::FinishContainerEnd(Pod& pod, const state::v1::Operation& under_way,
                                                const CallContext& context) {
  absl::Status ended;
  // One that was being deleted was dropped already.
  if (!under_way.container_id().empty()) {
    ended = EndContainer(pod, under_way.container_id(), absl::ZeroDuration(), under_way.request(), context);
  }
  RunContainerPoststop(pod, under_way.container_id(), {absl::InfiniteFuture(), context.cancellation});
  // It is paused all the same.
  if (!ended.ok()) LogError(pod.id(), absl::StrCat("end container ", under_way.container_id(), ": ", ended.message()));
  return PauseAgain(pod, ended.ok() ? under_way.request() : state::v1::Request(), context);
}

RecoveryOutcome LivePodRuntime::Abandon(Pod& pod, const state::v1::PodRecord& record, const absl::Status& why,
                                        const Grant& grant) {
  {
    // The next daemon will try again.
    MutexLock lock(&mu_);
    if (shutting_down_) return RecoveryOutcome::kPostponed;
  }
  const std::string boot_id = ReadBootId().value_or("");
  const bool rebooted =
      absl::IsNotFound(why) && record.vm().process().boot_id() != boot_id && !record.vm().process().boot_id().empty();
  TearDownOptions tear_down;
  tear_down.hooks = PoststopLimits(grant);
  tear_down.state = rebooted ? v1::POD_STATE_STOPPED : v1::POD_STATE_FAILED;
  tear_down.reason = rebooted ? kHostRebooted : absl::StrCat("VM_EXITED: while vcd was away: ", why.message());
  LogError(pod.id(), tear_down.reason);
  (void)TearDown(pod, environment_, tear_down);
  pod.Tell(rebooted ? v1::EVENT_TYPE_POD_STOPPED : v1::EVENT_TYPE_POD_FAILED, "", "", std::nullopt, tear_down.reason);
  return rebooted ? RecoveryOutcome::kRebooted : RecoveryOutcome::kLost;
}

}  // namespace vcd

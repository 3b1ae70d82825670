// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>
#include <string>
#include <utility>

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
#include "core/pod/pod_record.h"
#include "core/pod/pod_state_machine.h"
#include "core/pod/pod_tear_down.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// A full disk must not cost a machine that is well; the record is written with the next change.
absl::Status IgnoreStorage(const absl::Status& status) {
  const std::optional<ErrorDetail> detail = DetailOf(status);
  return detail.has_value() && detail->reason == v1::ERROR_REASON_STORAGE ? absl::OkStatus() : status;
}

}  // namespace

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

void LivePodRuntime::Vanish(Pod& pod, const Grant& grant) {
  TearDownOptions options;
  options.hooks = PoststopLimits(grant);
  const absl::StatusOr<Released> released = TearDown(pod, environment_, options);
  absl::Status status = released.status();
  // The next deletion, or the next daemon, tries again.
  if (released.ok() && !released->kept.empty()) status = absl::UnavailableError(absl::StrJoin(released->kept, "; "));
  if (status.ok() && !PoststopDue(pod.record()).empty())
    status = absl::UnavailableError("poststop hooks were cut short");
  if (status.ok()) {
    pod.DropLog("");
    status = store_.RemovePod(pod.id());
  }
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
  pod.DropLog(container.id());
  pod.RemoveProcesses(container.id(), KilledStatus());
  RunContainerPoststop(pod, container.id(), PoststopLimits(grant));
  (void)RemoveContainerLog(filesystem_, pod.LogPath(container.id()));
  (void)ForgetContainer(pod, container.id(), {});
  LogInfo(pod.id(), absl::StrCat("container ", container.id(),
                                 container.removing() ? ": its deletion was interrupted: finished"
                                                      : ": its creation was interrupted: undone"));
}

std::optional<RecoveryOutcome> LivePodRuntime::SettleWithoutMachine(Pod& pod, const state::v1::PodRecord& record,
                                                                    const Grant& grant) {
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
      if (record.has_vm()) return std::nullopt;
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
      if (!checkpoint.has_value() || !checkpoint->stopped) return std::nullopt;
      tear_down.request = under_way.request();
      (void)TearDown(pod, environment_, tear_down);
      return RecoveryOutcome::kFinished;
    }
    default:
      return std::nullopt;
  }
}

void LivePodRuntime::NoteReboot(Pod& pod, const state::v1::PodRecord& record, const Grant& grant) {
  // Should its VM run all the same, somebody took the record away. Two VMs of one pod must never be.
  const absl::Status reaped = pod.hypervisor().Reap(pod.run_dir(), grant.context);
  if (!reaped.ok()) LogError(pod.id(), std::string(reaped.message()));
  (void)store_.CreatePodDirectories(pod.id());
  // Namespaces and interfaces went with the host; what was reserved for them elsewhere did not.
  const absl::Status detached = pod.network().Detach(pod.AsNetworkPod(*pod.config()), grant.context);
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
}

RecoveryOutcome LivePodRuntime::Reconcile(Pod& pod, Grant& grant) {
  const state::v1::PodRecord record = pod.record();
  if (const auto settled = SettleWithoutMachine(pod, record, grant)) return *settled;
  if (absl::StartsWith(record.reason(), kRecordDamaged)) return RecoveryOutcome::kDamaged;
  if (!record.has_vm() && record.reason() == kHostRebooted) {
    NoteReboot(pod, record, grant);
    return RecoveryOutcome::kRebooted;
  }
  if (!record.has_vm()) {
    FinishPoststop(pod, PoststopLimits(grant));
    return RecoveryOutcome::kUnchanged;
  }
  const absl::Status adopted = AdoptPod(pod, record, grant);
  if (!adopted.ok()) return Abandon(pod, record, adopted, grant);
  LogInfo(pod.id(), absl::StrCat("adopted, ", StateWord(pod.state()), ", VM pid ", record.vm().process().pid()));
  pod.Tell(v1::EVENT_TYPE_POD_ADOPTED);
  return RecoveryOutcome::kAdopted;
}

absl::Status LivePodRuntime::WakeAsRecorded(Pod& pod, const state::v1::PodRecord& record, const CallContext& context) {
  const state::v1::Operation& under_way = record.under_way();
  switch (under_way.intent()) {
    case state::v1::INTENT_PAUSE:
      LogInfo(pod.id(), "its pause was interrupted: undone");
      VCD_RETURN_IF_ERROR(IgnoreStorage(ResumeGuest(pod, {}, context, /*fact=*/true)));
      break;
    case state::v1::INTENT_RESUME:
      LogInfo(pod.id(), "its resumption was interrupted: finished");
      VCD_RETURN_IF_ERROR(IgnoreStorage(ResumeGuest(pod, under_way.request(), context, /*fact=*/true)));
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
      VCD_RETURN_IF_ERROR(
          IgnoreStorage(pod.Change([&](state::v1::PodRecord& record) { SetDone(record, done); }, /*fact=*/true)));
      break;
    }
    default:
      // A paused guest cannot answer: it is spoken to when it is resumed.
      if (record.state() == v1::POD_STATE_PAUSED) break;
      VCD_RETURN_IF_ERROR(ReconnectGuest(pod, context));
      FinishResize(pod, context);
  }
  return absl::OkStatus();
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
  VCD_RETURN_IF_ERROR(WakeAsRecorded(pod, record, context));
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
  const state::v1::Operation& under_way = record.under_way();
  if (under_way.intent() == state::v1::INTENT_END_CONTAINER) return FinishContainerEnd(pod, under_way, context);
  if (under_way.intent() == state::v1::INTENT_START_CONTAINER) return FinishContainerStart(pod, under_way, grant);
  if (under_way.intent() != state::v1::INTENT_START) return absl::OkStatus();
  LogInfo(pod.id(), "its start was interrupted: finished");
  return ReleaseContainers(pod, under_way.request(), context, grant.clock, /*fact=*/true);
}

absl::Status LivePodRuntime::FinishContainerStart(Pod& pod, const state::v1::Operation& under_way, const Grant& grant) {
  const CallContext& context = grant.context;
  const state::v1::PodRecord record = pod.record();
  const state::v1::ContainerRecord* container = FindContainer(record, under_way.container_id());
  // It was released already, or is gone, unless it is held.
  if (container != nullptr && container->state() == v1::CONTAINER_STATE_READY) {
    LogInfo(pod.id(), absl::StrCat("container ", container->id(), ": its start was interrupted: finished"));
    state::v1::ContainerRecord started = *container;
    const absl::Status status = StartInGuest(pod, started, context);
    if (!status.ok()) {
      // Cut short: who did that, or the next daemon, goes on from the intent.
      VCD_RETURN_IF_ERROR(context.Check(absl::StrCat("start container ", started.id())));
      // It must not cost the others their machine.
      LogError(pod.id(), std::string(status.message()));
      NoteFailedStart(pod, started.id(), status);
      return absl::OkStatus();
    }
    pod.Tell(v1::EVENT_TYPE_CONTAINER_STARTED, started.id());
    VCD_RETURN_IF_ERROR(IgnoreStorage(pod.Change(
        [&](state::v1::PodRecord& current) {
          state::v1::ContainerRecord* known = FindContainer(current, started.id());
          if (known != nullptr && known->state() == v1::CONTAINER_STATE_READY) *known = started;
        },
        /*fact=*/true)));
    const absl::StatusOr<v1::Container> view = pod.ViewContainer(started.id());
    if (view.ok()) RunPoststart(pod, view->config(), context, grant.clock);
  }
  return IgnoreStorage(
      pod.Change([&](state::v1::PodRecord& current) { SetDone(current, under_way.request()); }, /*fact=*/true));
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
  // Its machine was there, and the rest of the start failed: as by the daemon that was asked for it.
  const bool start_failed = pod.machine() != nullptr && record.under_way().intent() == state::v1::INTENT_START;
  const bool stopped = rebooted || start_failed;
  TearDownOptions tear_down;
  tear_down.hooks = PoststopLimits(grant);
  tear_down.state = stopped ? v1::POD_STATE_STOPPED : v1::POD_STATE_FAILED;
  tear_down.reason = rebooted       ? kHostRebooted
                     : start_failed ? absl::StrCat("start failed: ", why.message())
                                    : absl::StrCat("VM_EXITED: while vcd was away: ", why.message());
  LogError(pod.id(), tear_down.reason);
  (void)TearDown(pod, environment_, tear_down);
  pod.Tell(stopped ? v1::EVENT_TYPE_POD_STOPPED : v1::EVENT_TYPE_POD_FAILED, "", "", std::nullopt, tear_down.reason);
  if (start_failed) return RecoveryOutcome::kUndone;
  return rebooted ? RecoveryOutcome::kRebooted : RecoveryOutcome::kLost;
}

}  // namespace vcd

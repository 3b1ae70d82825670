// SPDX-License-Identifier: Apache-2.0
#include "core/pod/pod_lifecycle.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/model/mounts.h"
#include "core/pod/clean_up.h"
#include "core/pod/container_attachments.h"
#include "core/pod/container_lifecycle.h"
#include "core/pod/guest_dials.h"
#include "core/pod/machine_start.h"
#include "core/pod/pod_checkpoint.h"
#include "core/pod/pod_hooks.h"
#include "core/pod/pod_network.h"
#include "core/pod/pod_tear_down.h"
#include "core/pod/undo_stack.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// A guest that takes longer is no reason to keep the pod from going on.
constexpr absl::Duration kClockTime = absl::Seconds(2);
// A log is waited for so many times as long to be opened by a daemon that has just started, with many of them, as to be
// written.
constexpr int kOpeningFactor = 6;

// Whether a process that has not ended belongs to a container that does not run: a start that a crash cut off.
bool IsInterrupted(const state::v1::ContainerRecord& container, const GuestProcess& process) {
  return HasEnded(container) && !process.exit.has_value();
}

// Removes from the guest what no record knows, and what was being started again when the daemon ended.
absl::Status RemoveInterrupted(Pod& pod, GuestSession& session, const CallContext& context) {
  const state::v1::PodRecord record = pod.record();
  for (const GuestProcess& process : session.info().processes) {
    if (!process.key.process_id.empty()) continue;
    const state::v1::ContainerRecord* container = FindContainer(record, process.key.container_id);
    if (container != nullptr && !IsInterrupted(*container, process)) continue;
    LogInfo(pod.id(), absl::StrCat("container ", process.key.container_id, ": removed from the guest: unfinished"));
    VCD_RETURN_IF_ERROR(session.RemoveContainer(process.key.container_id, context));
  }
  return absl::OkStatus();
}

// First processes of containers, by container.
using GuestContainers = std::map<std::string, GuestProcess>;

// Has the pod know the processes that its guest has; returns those that are containers'.
GuestContainers KnowProcesses(Pod& pod, const GuestSession& session, const CallContext& context) {
  GuestContainers in_guest;
  const state::v1::PodRecord record = pod.record();
  for (const GuestProcess& process : session.info().processes) {
    // After a checkpoint by this daemon: whoever reads it or waits for it goes on.
    const bool known = pod.FindProcess(process.key) != nullptr;
    if (IsDial(process.key)) {
      if (known) continue;
      // Of an earlier daemon, whose callers are gone.
      pod.AddExecProcess(process);
      pod.FindProcess(process.key)->Abandon();
      continue;
    }
    const state::v1::ContainerRecord* container = FindContainer(record, process.key.container_id);
    if (container == nullptr || IsInterrupted(*container, process)) continue;
    const bool is_container = process.key.process_id.empty();
    if (is_container) in_guest[process.key.container_id] = process;
    if (known) continue;
    if (is_container) {
      const CallContext opening = context.Within(kOpeningFactor * pod.environment().options.log_patience);
      const absl::Status logged = pod.AddContainerProcess(process.key.container_id, &process, opening);
      if (logged.ok()) continue;
      // A log that cannot be opened, or does not answer, must not cost a guest that is well: its output is kept in
      // memory, as an exec's.
      LogError(pod.id(), absl::StrCat("container ", process.key.container_id, " is not logged: ", logged.message()));
    }
    pod.AddExecProcess(process);
  }
  return in_guest;
}

// What the guest tells of the containers on record.
void LearnStates(state::v1::PodRecord& record, const GuestContainers& in_guest) {
  for (state::v1::ContainerRecord& container : *record.mutable_containers()) {
    // What was being made or deleted is dropped next, and must still be known for that.
    if (HasEnded(container) || container.state() == v1::CONTAINER_STATE_CREATING || container.removing()) continue;
    const auto found = in_guest.find(container.id());
    if (found == in_guest.end()) {
      container.set_state(v1::CONTAINER_STATE_FAILED);
      container.set_reason("the guest does not know it any more");
    } else if (container.state() == v1::CONTAINER_STATE_READY && found->second.started) {
      container.set_state(v1::CONTAINER_STATE_RUNNING);
      if (!container.has_started_at()) StampNow(container.mutable_started_at());
    }
  }
}

void MarkResumed(state::v1::PodRecord& record) {
  record.set_state(v1::POD_STATE_RUNNING);
  for (state::v1::ContainerRecord& container : *record.mutable_containers()) {
    if (container.state() == v1::CONTAINER_STATE_PAUSED) container.set_state(v1::CONTAINER_STATE_RUNNING);
  }
}

}  // namespace

absl::Status ReconnectGuest(Pod& pod, const CallContext& context) {
  absl::StatusOr<std::unique_ptr<GuestSession>> session =
      pod.agent().Connect({pod.id(), pod.config()->hostname(), pod.machine_dir()}, *pod.machine(), pod, context);
  if (!session.ok()) return Annotate(session.status(), "wait for the guest's agent");
  VCD_RETURN_IF_ERROR(RemoveInterrupted(pod, **session, context));
  // The entries must be there before the first byte comes.
  const GuestContainers in_guest = KnowProcesses(pod, **session, context);
  if (pod.agent().capabilities().runs_processes) {
    // A full disk must not cost a guest that is well.
    (void)pod.Change([&](state::v1::PodRecord& record) { LearnStates(record, in_guest); }, /*fact=*/true);
  }
  GuestSession* connected = session->get();
  pod.guest().Exchange(*std::move(session));
  connected->Observe();
  EndAbandonedDials(pod);
  return absl::OkStatus();
}

void BringUp::Undo() {
  if (undo_.empty()) return;
  clock_.Enter(OperationPhase::kUndo);
  undo_.Run();
}

absl::Status BringUp::Open(const CallContext& context) {
  const absl::Status status = OpenSteps(context);
  if (!status.ok()) Undo();
  return status;
}

absl::Status BringUp::Boot(std::unique_ptr<BootGate::Place> place,
                           const std::function<void(state::v1::PodRecord&)>& finish, const CallContext& context,
                           const Checkpoint* checkpoint) {
  const absl::Status status = BootSteps(place, finish, context, checkpoint);
  if (!status.ok()) Undo();
  return status;
}

absl::Status BringUp::OpenSteps(const CallContext& context) {
  Pod& pod = pod_;
  const std::shared_ptr<const v1::PodConfig> config = pod.config();
  undo_.Push([this] { KeepPoststopDue(pod_, begun_); });
  clock_.Enter(OperationPhase::kNetwork);
  // Given back where the network is.
  VCD_RETURN_IF_ERROR(environment_.ports.Take(pod.id(), config->network_config()));
  if (!pod.record().kept().empty()) {
    VCD_RETURN_IF_ERROR(
        Annotate(DetachNetwork(pod, environment_.backends, context), "give back what its last life had kept"));
  }
  const NetworkPod network_pod = pod.AsNetworkPod(*config);
  const absl::StatusOr<std::string> netns_path = pod.network().Open(network_pod, context);
  if (!netns_path.ok()) return Annotate(netns_path.status(), "set the network up");
  undo_.Push([&pod, network_pod] {
    LogFailure(pod, "undo: take the network down", pod.network().Detach(network_pod, CleanUpContext()));
  });
  begun_.pod = true;
  return RunHooksBeforeBoot(pod, *netns_path, context, clock_);
}

absl::Status BringUp::BootSteps(std::unique_ptr<BootGate::Place>& place,
                                const std::function<void(state::v1::PodRecord&)>& finish, const CallContext& context,
                                const Checkpoint* checkpoint) {
  Pod& pod = pod_;
  const PodEnvironment& environment = environment_;
  OperationClock& clock = clock_;
  const std::shared_ptr<const v1::PodConfig> config = pod.config();
  clock.Enter(OperationPhase::kNetwork);
  absl::StatusOr<NetworkPlan> plan = pod.network().Attach(pod.AsNetworkPod(*config), context);
  if (!plan.ok()) return Annotate(plan.status(), "set the network up");
  if (!plan->interfaces.empty()) VCD_RETURN_IF_ERROR(CheckJoins(pod));

  undo_.Push([&pod] { StopMachine(pod); });
  const CallContext boot_context = context.Within(environment.options.boot_timeout);
  const absl::StatusOr<MachineStart> start =
      checkpoint != nullptr ? RestoreMachine(pod, *checkpoint, environment, plan->netns_path, context, clock)
                            : StartMachine(pod, environment, plan->netns_path, boot_context, clock);
  if (checkpoint == nullptr && absl::IsDeadlineExceeded(start.status()) && context.Check("boot").ok()) {
    return Annotate(start.status(),
                    absl::StrCat("boot within ", absl::FormatDuration(environment.options.boot_timeout),
                                 " (see that kernel and initramfs are a guest's, or raise vcd's --boot-timeout)"));
  }
  VCD_RETURN_IF_ERROR(start.status());
  place.reset();

  clock.Enter(OperationPhase::kNetwork);
  if (checkpoint != nullptr) VCD_RETURN_IF_ERROR(LeaveFormerNetwork(pod, context));
  state::v1::PodRecord record = pod.record();
  VCD_ASSIGN_OR_RETURN(*record.mutable_network(), JoinNetwork(pod, *std::move(plan), context));

  clock.Enter(OperationPhase::kContainers);
  undo_.Push([&pod] { pod.FinishProcesses(KilledStatus()); });
  if (checkpoint == nullptr && pod.agent().capabilities().runs_processes) {
    VCD_RETURN_IF_ERROR(ShareVolumes(pod, record, context));
  }
  for (const v1::ContainerConfig& container : config->containers()) {
    // Those of a checkpoint are there, and may have ended meanwhile.
    if (checkpoint != nullptr) break;
    state::v1::ContainerRecord* known = FindContainer(record, container.id());
    if (known == nullptr) {
      known = record.add_containers();
      known->set_id(container.id());
    }
    begun_.container_ids.push_back(container.id());
    VCD_RETURN_IF_ERROR(CreateInGuest(pod, container, record, *known, context, clock));
  }
  MeasureClone(pod, *start, environment.templates);
  VCD_RETURN_IF_ERROR(context.Check("bring the pod up"));
  clock.Enter(OperationPhase::kPersist);
  VCD_RETURN_IF_ERROR(pod.Change([&](state::v1::PodRecord& current) {
    if (checkpoint == nullptr) {
      *current.mutable_containers() = record.containers();
      *current.mutable_volumes() = record.volumes();
    }
    if (record.network().ByteSizeLong() != 0) *current.mutable_network() = record.network();
    *current.mutable_vm() = pod.machine()->Record();
    current.set_vm_start(start->how);
    current.set_vm_start_reason(start->reason);
    current.set_template_key(start->template_key);
    current.set_guest_kernel(pod.session()->info().kernel_release);
    current.set_agent_version(pod.session()->info().agent_version);
    current.clear_reason();
    current.clear_kept();
    current.clear_finished_at();
    *current.mutable_boot_timeline() = clock.Timeline();
    current.set_state(checkpoint != nullptr ? StateAfterRestore(*checkpoint) : v1::POD_STATE_READY);
    finish(current);
  }));
  undo_.Commit();
  return absl::OkStatus();
}

absl::Status ReleaseContainers(Pod& pod, const state::v1::Request& request, const CallContext& context,
                               OperationClock& clock, bool fact) {
  clock.Enter(OperationPhase::kRelease);
  state::v1::PodRecord record = pod.record();
  for (state::v1::ContainerRecord& container : *record.mutable_containers()) {
    if (container.state() != v1::CONTAINER_STATE_READY) continue;
    VCD_RETURN_IF_ERROR(StartInGuest(pod, container, context));
    pod.Tell(v1::EVENT_TYPE_CONTAINER_STARTED, container.id());
  }
  clock.Enter(OperationPhase::kPersist);
  const absl::Status written = pod.Change(
      [&](state::v1::PodRecord& current) {
        if (clock.booted()) *current.mutable_boot_timeline() = clock.Timeline();
        // One may have ended meanwhile, and that is recorded already: only what is still `ready` starts.
        for (const state::v1::ContainerRecord& started : record.containers()) {
          state::v1::ContainerRecord* container = FindContainer(current, started.id());
          if (container == nullptr) continue;
          if (started.has_started_at()) *container->mutable_started_at() = started.started_at();
          if (container->state() == v1::CONTAINER_STATE_READY) container->set_state(started.state());
        }
        current.set_state(v1::POD_STATE_RUNNING);
        SetDone(current, request);
        StampNow(current.mutable_started_at());
      },
      fact);
  if (!fact) VCD_RETURN_IF_ERROR(written);
  RunPoststart(pod, context, clock);
  const std::shared_ptr<const v1::PodConfig> config = pod.config();
  for (const v1::ContainerConfig& container : config->containers()) {
    const state::v1::ContainerRecord* started = FindContainer(record, container.id());
    if (started != nullptr && started->state() == v1::CONTAINER_STATE_RUNNING) {
      RunPoststart(pod, container, context, clock);
    }
  }
  return absl::OkStatus();
}

absl::Status WakeGuest(Pod& pod, const CallContext& context) {
  VCD_RETURN_IF_ERROR(Annotate(pod.machine()->Resume(context), "resume the VM"));
  if (pod.session() == nullptr) {
    VCD_RETURN_IF_ERROR(ReconnectGuest(pod, context));
  } else {
    LogFailure(pod, "set the guest's clock", pod.session()->SetClock(context.Within(kClockTime)));
    EndAbandonedDials(pod);
  }
  pod.SetStandsStill(false);
  return absl::OkStatus();
}

absl::Status PauseAgain(Pod& pod, const state::v1::Request& request, const CallContext& context) {
  pod.SetStandsStill(true);
  const absl::Status paused =
      Annotate(pod.machine()->Pause({absl::Now() + absl::Seconds(10), context.cancellation}), "pause the VM again");
  if (!paused.ok()) pod.SetStandsStill(false);
  if (!paused.ok() && context.cancellation != nullptr && !context.cancellation->status().ok()) return paused;
  (void)pod.Change(
      [&](state::v1::PodRecord& record) {
        if (!paused.ok()) MarkResumed(record);
        SetDone(record, request);
      },
      /*fact=*/true);
  return paused;
}

absl::Status ResumeGuest(Pod& pod, const state::v1::Request& request, const CallContext& context, bool fact) {
  VCD_RETURN_IF_ERROR(WakeGuest(pod, context));
  return pod.Change(
      [&](state::v1::PodRecord& record) {
        MarkResumed(record);
        SetDone(record, request);
      },
      fact);
}

}  // namespace vcd

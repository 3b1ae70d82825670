// SPDX-License-Identifier: Apache-2.0
#include "core/pod/pod_lifecycle.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/model/mounts.h"
#include "core/os/supervised_process.h"
#include "core/pod/clean_up.h"
#include "core/pod/container_attachments.h"
#include "core/pod/container_lifecycle.h"
#include "core/pod/guest_dials.h"
#include "core/pod/machine_start.h"
#include "core/pod/pod_checkpoint.h"
#include "core/pod/pod_hooks.h"
#include "core/pod/pod_network.h"
#include "core/pod/undo_stack.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// A guest that takes longer is no reason to keep the pod from going on.
constexpr absl::Duration kClockTime = absl::Seconds(2);

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

// Which backend a pod has, or had: the one that is named, or all when the name is not known here, as in a configuration
// that cannot be read. What takes things down may then be asked of each.
template <typename T>
std::vector<T*> Candidates(const std::map<std::string, std::unique_ptr<T>>& backends, const std::string& name) {
  const auto named = backends.find(name);
  if (named != backends.end()) return {named->second.get()};
  std::vector<T*> all;
  for (const auto& [known, backend] : backends) all.push_back(backend.get());
  return all;
}

// Ends a process that a record names, whoever made it.
absl::Status EndRecorded(const PodEnvironment& environment, const state::v1::ProcessIdentity& recorded) {
  if (recorded.pid() <= 0) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<SupervisedProcess>> process =
      SupervisedProcess::Adopt(environment.io, {recorded.pid(), recorded.start_time_ticks(), recorded.boot_id()});
  if (absl::IsNotFound(process.status())) return absl::OkStatus();
  VCD_RETURN_IF_ERROR(process.status());
  return (*process)->Terminate(absl::Seconds(5));
}

// Ends what no handle tells of: a machine that a crashed daemon had just started, one whose record was damaged, and one
// of a hypervisor that this daemon does not have.
absl::Status ReapMachine(const Pod& pod, const PodEnvironment& environment) {
  absl::Status status;
  for (Hypervisor* hypervisor : Candidates(environment.backends.hypervisors, pod.config()->hypervisor())) {
    status.Update(ReapRunDirs(pod, *hypervisor));
  }
  if (environment.backends.hypervisors.count(pod.config()->hypervisor()) != 0) return status;
  const state::v1::VirtualMachine machine = pod.record().vm();
  status.Update(EndRecorded(environment, machine.process()));
  for (const state::v1::SharedDirectory& directory : machine.shared_directories()) {
    status.Update(EndRecorded(environment, directory.process()));
  }
  return status;
}

absl::Status DetachNetwork(const Pod& pod, const Backends& backends, const CallContext& context) {
  const std::shared_ptr<const v1::PodConfig> config = pod.config();
  const NetworkPod network_pod = pod.AsNetworkPod(*config);
  absl::Status status;
  for (Network* network : Candidates(backends.networks, config->network())) {
    status.Update(network->Detach(network_pod, context));
  }
  // A name that is not known tells of a network that none of these is.
  if (!config->network().empty() && backends.networks.count(config->network()) == 0) {
    status.Update(
        absl::FailedPreconditionError("this vcd does not have it; run one that does, and delete the pod there"));
  }
  return status;
}

// Of a pod that nobody told to stop, while the hooks of its end run: it does not run any more. On disk it does, so that
// the next daemon finds out for itself what became of it.
void ShowStopping(Pod& pod, const std::string& reason) {
  const v1::PodState state = pod.state();
  if (state != v1::POD_STATE_READY && state != v1::POD_STATE_RUNNING && state != v1::POD_STATE_PAUSED) return;
  pod.ChangeUnwritten([&reason](state::v1::PodRecord& record) {
    record.set_state(v1::POD_STATE_STOPPING);
    record.set_reason(reason);
  });
}

// State and reason of a pod that was taken down, with what it still holds.
void SetEnd(state::v1::PodRecord& record, const TearDownOptions& options, const absl::Status& ended) {
  record.set_state(ended.ok() ? options.state : v1::POD_STATE_FAILED);
  std::string reason = ended.ok() ? options.reason : absl::StrCat("the VM could not be ended: ", ended.message());
  if (!record.kept().empty()) {
    // One that was to disappear must not look like one that may be started.
    if (IsAppearingOrGoing(record)) record.set_state(v1::POD_STATE_FAILED);
    absl::StrAppend(
        &reason, reason.empty() ? "" : "; ",
        "not given back, and tried again by the next stop or deletion: ", absl::StrJoin(record.kept(), "; "));
  }
  record.set_reason(reason);
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
  std::map<std::string, GuestProcess> in_guest;
  const state::v1::PodRecord before = pod.record();
  for (const GuestProcess& process : (*session)->info().processes) {
    // After a checkpoint by this daemon: whoever reads it or waits for it goes on.
    const bool known = pod.FindProcess(process.key) != nullptr;
    if (IsDial(process.key)) {
      if (known) continue;
      // Of an earlier daemon, whose callers are gone.
      pod.AddExecProcess(process);
      pod.FindProcess(process.key)->Abandon();
      continue;
    }
    const state::v1::ContainerRecord* container = FindContainer(before, process.key.container_id);
    if (container == nullptr || IsInterrupted(*container, process)) continue;
    if (process.key.process_id.empty()) in_guest[process.key.container_id] = process;
    if (known) continue;
    if (process.key.process_id.empty()) {
      const absl::Status logged = pod.AddContainerProcess(process.key.container_id, &process);
      if (!logged.ok()) {
        // A log that cannot be opened must not cost a guest that is well: its output is kept in memory, as an exec's.
        LogError(pod.id(), absl::StrCat("container ", process.key.container_id, " is not logged: ", logged.message()));
        pod.AddExecProcess(process);
      }
    } else {
      pod.AddExecProcess(process);
    }
  }
  if (pod.agent().capabilities().runs_processes) {
    const auto learn = [&](state::v1::PodRecord& record) {
      for (state::v1::ContainerRecord& container : *record.mutable_containers()) {
        // What was being made or deleted is dropped next, and must still be known for that.
        if (HasEnded(container) || container.state() == v1::CONTAINER_STATE_CREATING || container.removing()) {
          continue;
        }
        const auto found = in_guest.find(container.id());
        if (found == in_guest.end()) {
          container.set_state(v1::CONTAINER_STATE_FAILED);
          container.set_reason("the guest does not know it any more");
        } else if (container.state() == v1::CONTAINER_STATE_READY && found->second.started) {
          container.set_state(v1::CONTAINER_STATE_RUNNING);
          if (!container.has_started_at()) StampNow(container.mutable_started_at());
        }
      }
    };
    // A full disk must not cost a guest that is well.
    (void)pod.Change(learn, /*fact=*/true);
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
                               OperationClock& clock) {
  clock.Enter(OperationPhase::kRelease);
  state::v1::PodRecord record = pod.record();
  for (state::v1::ContainerRecord& container : *record.mutable_containers()) {
    if (container.state() != v1::CONTAINER_STATE_READY) continue;
    VCD_RETURN_IF_ERROR(StartInGuest(pod, container, context));
    pod.Tell(v1::EVENT_TYPE_CONTAINER_STARTED, container.id());
  }
  clock.Enter(OperationPhase::kPersist);
  VCD_RETURN_IF_ERROR(pod.Change([&](state::v1::PodRecord& current) {
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
  }));
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

absl::Status ResumeGuest(Pod& pod, const state::v1::Request& request, const CallContext& context) {
  VCD_RETURN_IF_ERROR(WakeGuest(pod, context));
  return pod.Change([&](state::v1::PodRecord& record) {
    MarkResumed(record);
    SetDone(record, request);
  });
}

absl::StatusOr<Released> TearDown(Pod& pod, const PodEnvironment& environment, const TearDownOptions& options) {
  const std::shared_ptr<const v1::PodConfig> config = pod.config();
  const int32_t vm_pid = pod.record().vm().process().pid();
  Released released;
  if (options.orderly && pod.session() != nullptr) {
    std::vector<std::string> running;
    const state::v1::PodRecord record = pod.record();
    for (const state::v1::ContainerRecord& container : record.containers()) {
      // Paused ones have been resumed for this.
      if (container.state() == v1::CONTAINER_STATE_RUNNING || container.state() == v1::CONTAINER_STATE_PAUSED) {
        running.push_back(container.id());
      }
    }
    LogFailure(
        pod, "end the containers",
        EndProcesses(pod, running, options.grace, {absl::Now() + options.grace + absl::Seconds(15), options.hurry}));
  }
  // From here on the end of the machine is our doing.
  std::unique_ptr<VirtualMachine> machine = pod.TakeMachine();
  std::unique_ptr<GuestSession> session = pod.guest().Exchange(nullptr);
  if (session != nullptr && options.orderly) {
    LogFailure(pod, "shut the guest down", session->Shutdown({absl::Now() + absl::Seconds(5), options.hurry}));
  }
  session.reset();
  pod.RecordExits();

  absl::Status ended;
  if (machine != nullptr) {
    ended = machine->Stop(options.orderly ? StopMode::kOrderly : StopMode::kForce,
                          {absl::Now() + absl::Seconds(30), options.hurry});
    released.given_back.push_back(vm_pid > 0 ? absl::StrCat("VM (pid ", vm_pid, ")") : "VM");
  }
  machine.reset();
  // Also what no handle tells of: a machine that a crashed daemon had just started.
  if (ended.ok()) ended = ReapMachine(pod, environment);
  LogFailure(pod, "end the VM", ended);
  // A machine that may still run writes to its disks.
  if (ended.ok()) {
    pod.ReleaseDisks();
    RemoveWarmDirectory(pod);
  }
  // Cut short, it is tried again by the operation that is in a hurry.
  const absl::Status detached =
      DetachNetwork(pod, environment.backends, {absl::Now() + absl::Seconds(30), options.hurry});
  LogFailure(pod, "take the network down", detached);
  if (detached.ok()) {
    environment.ports.Release(pod.id());
    released.given_back.push_back(absl::StrCat("network ", config->network()));
  } else {
    released.kept.push_back(absl::StrCat("network ", config->network(), ": ", detached.message()));
  }
  const Poststop due = PoststopDue(pod.record());
  if (!due.empty()) ShowStopping(pod, options.reason);
  // A machine that may still run is no end.
  const bool poststop_done = ended.ok() && RunPoststop(pod, due, options.hooks);

  const auto note = [&](state::v1::PodRecord& record) {
    for (state::v1::ContainerRecord& container : *record.mutable_containers()) {
      ForgetAttachments(container);
      container.set_guest_pid(0);
      const bool ran = container.state() == v1::CONTAINER_STATE_RUNNING ||
                       container.state() == v1::CONTAINER_STATE_PAUSED ||
                       container.state() == v1::CONTAINER_STATE_STOPPING;
      if (container.state() == v1::CONTAINER_STATE_STOPPED) continue;
      container.set_state(v1::CONTAINER_STATE_STOPPED);
      if (ran && options.end.ok()) *container.mutable_exit_status() = *options.end;
      if (ran && !options.end.ok()) container.set_reason(std::string(options.end.status().message()));
      // One that was only being made anew ended when it last did.
      if (ran || !container.has_finished_at()) StampNow(container.mutable_finished_at());
    }
    if (ended.ok()) {
      record.clear_vm();
      record.clear_vm_start();
      record.clear_vm_start_reason();
      record.clear_template_key();
      record.clear_warm_machine();
    }
    if (poststop_done) ForgetPoststop(record);
    record.clear_volumes();
    record.clear_network();
    *record.mutable_kept() = {released.kept.begin(), released.kept.end()};
    SetEnd(record, options, ended);
    if (!IsAppearingOrGoing(record)) SetDone(record, ended.ok() ? options.request : state::v1::Request());
    StampNow(record.mutable_finished_at());
  };
  absl::Status written;
  if (IsAppearingOrGoing(pod.record())) {
    // Its record goes next. Until then the intent in it says all: what a crash leaves of the pod is removed.
    pod.ChangeUnwritten(note);
  } else {
    written = pod.Change(note, /*fact=*/true);
  }
  // Last, so that whoever waited and then looks finds the pod as it is now.
  pod.FinishProcesses(options.end);
  if (!ended.ok()) return WithMetadata(Annotate(ended, "end the VM"), "pod_id", pod.id());
  VCD_RETURN_IF_ERROR(written);
  return released;
}

}  // namespace vcd

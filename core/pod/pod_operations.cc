// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/model/request_id.h"
#include "core/pod/container_lifecycle.h"
#include "core/pod/live_pod_runtime.h"
#include "core/pod/pod_hooks.h"
#include "core/pod/pod_state_machine.h"
#include "core/pod/pod_tear_down.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// A pod goes on when a container of it has ended; who starts it then means that one.
absl::Status CheckStart(const Pod& pod) {
  absl::Status status = CheckOperation(PodOperation::kStart, pod.id(), pod.state());
  if (status.ok() || pod.state() != v1::POD_STATE_RUNNING) return status;
  const state::v1::PodRecord record = pod.record();
  const auto& containers = record.containers();
  const auto ended = std::find_if(containers.begin(), containers.end(), [](const auto& container) {
    return container.state() == v1::CONTAINER_STATE_STOPPED;
  });
  if (ended == containers.end()) return status;
  return WithDetail(absl::FailedPreconditionError(absl::StrCat(std::string(status.message()), ", but its container ",
                                                               ended->id(), " has ended; `vc container start ",
                                                               pod.id(), " ", ended->id(), "` starts that")),
                    *DetailOf(status));
}

}  // namespace

void LivePodRuntime::StartPod(const std::string& pod_id, const MutationOptions& options, PodCallback done) {
  Operation operation;
  operation.name = "StartPod";
  operation.options = options;
  operation.fingerprint = RequestFingerprint({operation.name, pod_id});
  const absl::StatusOr<std::shared_ptr<Pod>> known = registry_.Find(pod_id);
  const auto config = known.ok() ? (*known)->config() : std::make_shared<const v1::PodConfig>();
  operation.ceiling = options_.boot_timeout + absl::Minutes(1) + HookTime(*config, options_);
  // One that is ready has booted, and need not wait for those that boot.
  operation.boots = [this](const Pod& pod) {
    return pod.state() == v1::POD_STATE_STOPPED ? std::optional<BootNeed>(NeedOrCloneOf(pod)) : std::nullopt;
  };
  auto up = std::make_shared<std::optional<BringUp>>();
  operation.first = [this, up](Pod& pod, Grant& grant) { return BeginStart(pod, *up, grant); };
  if (HasHooksBeforeBoot(*config)) operation.share = &hook_share_;
  SubmitForPod(
      pod_id, operation, [this, up](Pod& pod, Grant& grant) { return FinishStart(pod, *up, grant); }, std::move(done));
}

absl::Status LivePodRuntime::BeginStart(Pod& pod, std::optional<BringUp>& up, Grant& grant) {
  VCD_RETURN_IF_ERROR(CheckStart(pod));
  VCD_RETURN_IF_ERROR(grant.context.Check("start the pod"));
  if (!grant.place.ok()) return OfPod(grant.place.status(), pod.id(), "start");
  grant.clock.Enter(OperationPhase::kPersist);
  const bool boots = pod.state() == v1::POD_STATE_STOPPED;
  // Of its last life, when that was ended in a hurry.
  if (boots) FinishPoststop(pod, PoststopLimits(grant));
  const std::shared_ptr<const v1::PodConfig> config = pod.config();
  VCD_RETURN_IF_ERROR(pod.Change([&](state::v1::PodRecord& record) {
    SetUnderWay(record, state::v1::INTENT_START, grant.request);
    if (!boots) return;
    record.set_state(v1::POD_STATE_CREATING);
    for (state::v1::ContainerRecord& container : *record.mutable_containers()) {
      container.set_state(v1::CONTAINER_STATE_CREATING);
    }
    MarkPoststopDue(*config, record);
  }));
  if (!boots) return absl::OkStatus();
  up.emplace(pod, environment_, grant.clock);
  const absl::Status opened = up->Open(grant.context);
  return opened.ok() ? opened : UndoStart(pod, up, opened, grant);
}

absl::Status LivePodRuntime::FinishStart(Pod& pod, std::optional<BringUp>& up, Grant& grant) {
  absl::Status status = grant.place.status();
  if (status.ok() && up.has_value()) {
    status = up->Boot(
        *std::move(grant.place), [](state::v1::PodRecord&) {}, grant.context);
  }
  if (status.ok()) status = ReleaseContainers(pod, grant.request, grant.context, grant.clock);
  if (!status.ok()) return UndoStart(pod, up, status, grant);
  up.reset();
  LogInfo(pod.id(), "running");
  pod.Tell(v1::EVENT_TYPE_POD_STARTED);
  return status;
}

absl::Status LivePodRuntime::UndoStart(Pod& pod, std::optional<BringUp>& up, const absl::Status& why, Grant& grant) {
  grant.clock.Enter(OperationPhase::kUndo);
  up.reset();
  TearDownOptions options;
  options.reason = absl::StrCat("start failed: ", why.message());
  options.hooks = PoststopLimits(grant);
  (void)TearDown(pod, environment_, options);
  pod.Tell(v1::EVENT_TYPE_POD_STOPPED, "", "", std::nullopt, options.reason);
  return OfPod(why, pod.id(), "start");
}

CallContext LivePodRuntime::PoststopLimits(const Grant& grant, bool force) {
  // Whoever uses force is answered in time, with a little of it left for what comes after.
  const absl::Time deadline = force ? grant.asked_until - absl::Seconds(1) : absl::InfiniteFuture();
  return {deadline, grant.context.cancellation};
}

absl::Duration LivePodRuntime::HookTimeOf(const std::string& pod_id) const {
  const absl::StatusOr<std::shared_ptr<Pod>> pod = registry_.Find(pod_id);
  return pod.ok() ? HookTime(*(*pod)->config(), options_) : absl::ZeroDuration();
}

void LivePodRuntime::Forget(const std::string& pod_id) {
  // Also of one whose network could not be taken down, which nobody will try again.
  ports_.Release(pod_id);
  registry_.Remove(pod_id);
}

absl::Status LivePodRuntime::Preempted(const std::string& pod_id, const std::string& operation) {
  return WithDetail(absl::AbortedError(absl::StrCat(operation, " of pod ", pod_id, " with force came first")),
                    {v1::ERROR_REASON_PREEMPTED, {{"pod_id", pod_id}}});
}

void LivePodRuntime::StopPod(const std::string& pod_id, const StopOptions& stop, const MutationOptions& options,
                             PodCallback done) {
  Operation operation;
  operation.name = "StopPod";
  operation.options = options;
  operation.fingerprint = RequestFingerprint(
      {operation.name, pod_id, stop.force ? "force" : "", absl::StrCat(absl::ToInt64Milliseconds(stop.grace))});
  operation.ceiling = absl::InfiniteDuration();
  if (stop.force) operation.preempt = Preempted(pod_id, operation.name);
  SubmitForPod(
      pod_id, operation,
      [this, stop](Pod& pod, Grant& grant) {
        grant.clock.Enter(OperationPhase::kTearDown);
        return StopBody(pod, stop, grant);
      },
      std::move(done));
}

absl::Status LivePodRuntime::StopBody(Pod& pod, const StopOptions& stop, const Grant& grant) {
  const v1::PodState before = pod.state();
  VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kStop, pod.id(), before));
  const state::v1::PodRecord record = pod.record();
  if (before == v1::POD_STATE_STOPPED && record.kept().empty() && PoststopDue(record).empty()) return absl::OkStatus();
  // A full disk must not keep a pod from being stopped.
  (void)pod.Change(
      [&](state::v1::PodRecord& record) {
        SetUnderWay(record, state::v1::INTENT_STOP, grant.request);
        record.set_state(v1::POD_STATE_STOPPING);
      },
      /*fact=*/true);
  if (before == v1::POD_STATE_PAUSED && !stop.force && pod.machine() != nullptr) {
    // A paused guest cannot end its containers in order. After a restart of the daemon nobody speaks to it yet.
    const CallContext resume{absl::Now() + absl::Seconds(5), grant.context.cancellation};
    const absl::Status resumed = WakeGuest(pod, resume);
    if (!resumed.ok()) LogError(pod.id(), absl::StrCat("stop: resume the guest: ", resumed.message()));
  }
  TearDownOptions tear_down;
  tear_down.orderly = !stop.force;
  tear_down.grace = stop.grace > absl::ZeroDuration() ? stop.grace : options_.stop_grace;
  tear_down.request = grant.request;
  tear_down.hurry = grant.context.cancellation;
  tear_down.hooks = PoststopLimits(grant, stop.force);
  if (!pod.config_damage().ok()) {
    // It cannot be started again.
    tear_down.state = v1::POD_STATE_FAILED;
    tear_down.reason = pod.record().reason();
  }
  VCD_RETURN_IF_ERROR(TearDown(pod, environment_, tear_down).status());
  LogInfo(pod.id(), "stopped");
  pod.Tell(v1::EVENT_TYPE_POD_STOPPED);
  return absl::OkStatus();
}

void LivePodRuntime::PausePod(const std::string& pod_id, const MutationOptions& options, PodCallback done) {
  Operation operation;
  operation.name = "PausePod";
  operation.options = options;
  operation.fingerprint = RequestFingerprint({operation.name, pod_id});
  operation.ceiling = absl::Seconds(30);
  SubmitForPod(
      pod_id, operation, [this](Pod& pod, Grant& grant) { return PauseBody(pod, grant); }, std::move(done));
}

absl::Status LivePodRuntime::PauseBody(Pod& pod, const Grant& grant) {
  VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kPause, pod.id(), pod.state()));
  VCD_RETURN_IF_ERROR(
      pod.Change([&](state::v1::PodRecord& record) { SetUnderWay(record, state::v1::INTENT_PAUSE, grant.request); }));
  pod.SetStandsStill(true);
  absl::Status status = OfPod(pod.machine()->Pause(grant.context), pod.id(), "pause the VM");
  if (status.ok()) {
    status = pod.Change([&](state::v1::PodRecord& record) {
      record.set_state(v1::POD_STATE_PAUSED);
      for (state::v1::ContainerRecord& container : *record.mutable_containers()) {
        if (container.state() == v1::CONTAINER_STATE_RUNNING) container.set_state(v1::CONTAINER_STATE_PAUSED);
      }
      SetDone(record, grant.request);
    });
  }
  if (!status.ok()) {
    // Also after a pause that failed: it may have come through all the same.
    (void)pod.machine()->Resume({absl::Now() + absl::Seconds(10), grant.context.cancellation});
    pod.SetStandsStill(false);
    (void)pod.Change([](state::v1::PodRecord& record) { record.clear_under_way(); }, /*fact=*/true);
    return status;
  }
  LogInfo(pod.id(), "paused");
  pod.Tell(v1::EVENT_TYPE_POD_PAUSED);
  return absl::OkStatus();
}

void LivePodRuntime::ResumePod(const std::string& pod_id, const MutationOptions& options, PodCallback done) {
  Operation operation;
  operation.name = "ResumePod";
  operation.options = options;
  operation.fingerprint = RequestFingerprint({operation.name, pod_id});
  operation.ceiling = absl::Seconds(30);
  SubmitForPod(
      pod_id, operation, [this](Pod& pod, Grant& grant) { return ResumeBody(pod, grant); }, std::move(done));
}

absl::Status LivePodRuntime::ResumeBody(Pod& pod, const Grant& grant) {
  VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kResume, pod.id(), pod.state()));
  VCD_RETURN_IF_ERROR(
      pod.Change([&](state::v1::PodRecord& record) { SetUnderWay(record, state::v1::INTENT_RESUME, grant.request); }));
  absl::Status status = ResumeGuest(pod, grant.request, grant.context);
  if (!status.ok()) {
    // `paused` is what the record goes on to say, so the machine is to be.
    pod.SetStandsStill(true);
    (void)pod.machine()->Pause({absl::Now() + absl::Seconds(10), grant.context.cancellation});
    (void)pod.Change([](state::v1::PodRecord& record) { record.clear_under_way(); }, /*fact=*/true);
    return OfPod(status, pod.id());
  }
  LogInfo(pod.id(), "resumed");
  pod.Tell(v1::EVENT_TYPE_POD_RESUMED);
  return absl::OkStatus();
}

void LivePodRuntime::DeletePod(const std::string& pod_id, bool force, const MutationOptions& options,
                               std::function<void(absl::StatusOr<Released>)> done) {
  Operation operation;
  operation.name = "DeletePod";
  operation.options = options;
  operation.fingerprint = RequestFingerprint({operation.name, pod_id, force ? "force" : ""});
  operation.ceiling = absl::InfiniteDuration();
  if (force) operation.preempt = Preempted(pod_id, operation.name);
  const bool known = registry_.Find(pod_id).ok();
  auto released = std::make_shared<Released>();
  Submit(
      pod_id, operation,
      [this, force, released](Pod& pod, Grant& grant) {
        grant.clock.Enter(OperationPhase::kTearDown);
        return DeleteBody(pod, force, grant, released.get());
      },
      [known, released, done = std::move(done)](const absl::Status& status) {
        // It went while this waited: a creation was undone, or another deletion was first.
        if (known && absl::IsNotFound(status))
          return done(Released{{"what an operation before this one had left"}, {}});
        status.ok() ? done(*released) : done(status);
      });
}

absl::Status LivePodRuntime::DeleteBody(Pod& pod, bool force, const Grant& grant, Released* released) {
  const v1::PodState before = pod.state();
  if (!force) VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kDelete, pod.id(), before));
  (void)pod.Change(
      [&](state::v1::PodRecord& record) {
        SetUnderWay(record, state::v1::INTENT_DELETE, grant.request);
        record.set_state(v1::POD_STATE_STOPPING);
      },
      /*fact=*/true);
  const int containers = pod.config()->containers_size();
  TearDownOptions options;
  options.hooks = PoststopLimits(grant, force);
  VCD_ASSIGN_OR_RETURN(*released, TearDown(pod, environment_, options));
  if (!force && !released->kept.empty()) {
    return absl::UnavailableError(absl::StrCat("pod ", pod.id(), ": not deleted, because it still holds ",
                                               absl::StrJoin(released->kept, "; "),
                                               "; delete it again, or with force to leave that behind"));
  }
  if (!force && !PoststopDue(pod.record()).empty()) {
    return OfPod(grant.context.Check("poststop hooks"), pod.id(), "not deleted");
  }
  pod.DropLog("");
  VCD_RETURN_IF_ERROR(Annotate(store_.RemovePod(pod.id()), absl::StrCat("pod ", pod.id(), ": remove its records")));
  Forget(pod.id());
  released->given_back.push_back(absl::StrCat(containers, containers == 1 ? " container" : " containers"));
  released->given_back.push_back("records and logs");
  LogInfo(pod.id(), "deleted");
  // Of one that never got as far as being created nobody was told.
  if (before != v1::POD_STATE_CREATING) pod.Tell(v1::EVENT_TYPE_POD_DELETED);
  return absl::OkStatus();
}

void LivePodRuntime::HandleLost(const std::string& pod_id, const absl::Status& why) {
  Operation operation;
  operation.name = "release of a lost VM";
  operation.metric = "ReleaseLostVm";
  operation.options.deadline = absl::Now() + absl::Minutes(5);
  operation.ceiling = absl::InfiniteDuration();
  operation.preempt = why;
  Submit(
      pod_id, operation,
      [this, pod_id, why](Pod& pod, Grant& grant) {
        grant.clock.Enter(OperationPhase::kTearDown);
        // Whoever was cancelled may have taken it down already.
        if (pod.machine() == nullptr) {
          // But cut its poststop hooks short.
          FinishPoststop(pod, PoststopLimits(grant));
          return absl::OkStatus();
        }
        const std::optional<std::string> end = pod.MachineEnd(absl::Milliseconds(500));
        TearDownOptions options;
        options.end = end.has_value() ? absl::StatusOr<v1::ExitStatus>(VmExited(pod_id, *end)) : why;
        options.state = v1::POD_STATE_FAILED;
        options.reason = end.value_or(std::string(why.message()));
        options.hooks = PoststopLimits(grant);
        LogError(pod.id(), absl::StrCat("failed: ", options.reason));
        VCD_RETURN_IF_ERROR(TearDown(pod, environment_, options).status());
        pod.Tell(v1::EVENT_TYPE_POD_FAILED, "", "", std::nullopt, options.reason);
        return absl::OkStatus();
      },
      [](const absl::Status&) {});
}

}  // namespace vcd

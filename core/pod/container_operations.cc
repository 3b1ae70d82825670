// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/model/ids.h"
#include "core/model/mounts.h"
#include "core/model/pod_validation.h"
#include "core/model/request_id.h"
#include "core/pod/container_attachments.h"
#include "core/pod/container_config.h"
#include "core/pod/container_lifecycle.h"
#include "core/pod/live_pod_runtime.h"
#include "core/pod/pod_hooks.h"
#include "core/pod/pod_state_machine.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// Config and record of a container, after pod and container were found to take the operation.
struct Checked {
  v1::ContainerConfig config;
  state::v1::ContainerRecord record;
};

absl::StatusOr<Checked> Check(const Pod& pod, PodOperation operation, const std::string& container_id) {
  VCD_RETURN_IF_ERROR(CheckOperation(operation, pod.id(), pod.state()));
  Checked checked;
  VCD_ASSIGN_OR_RETURN(v1::Container view, pod.ViewContainer(container_id));
  VCD_RETURN_IF_ERROR(CheckOperation(operation, pod.id(), container_id, view.state()));
  checked.config = std::move(*view.mutable_config());
  const state::v1::PodRecord record = pod.record();
  if (const state::v1::ContainerRecord* container = FindContainer(record, container_id)) checked.record = *container;
  checked.record.set_id(container_id);
  return checked;
}

// Puts a container's record in place, and the machine's beside it, which changes with its devices.
void PutContainer(const Pod& pod, state::v1::PodRecord& record, const state::v1::ContainerRecord& container) {
  state::v1::ContainerRecord* known = FindContainer(record, container.id());
  if (known == nullptr) known = record.add_containers();
  *known = container;
  if (pod.machine() != nullptr) *record.mutable_vm() = pod.machine()->Record();
}

// The same, written; the request, if it has an id, is done with that.
absl::Status Store(Pod& pod, const state::v1::ContainerRecord& container, const state::v1::Request& request = {}) {
  return pod.Change([&](state::v1::PodRecord& record) {
    PutContainer(pod, record, container);
    Remember(record, request);
  });
}

}  // namespace

void LivePodRuntime::CreateContainer(const std::string& pod_id, v1::ContainerConfig config,
                                     const MutationOptions& options, ContainerCallback done) {
  Operation operation;
  operation.name = "CreateContainer";
  operation.options = options;
  operation.fingerprint = RequestFingerprint({operation.name, pod_id, FingerprintPart(config)});
  const absl::StatusOr<std::shared_ptr<Pod>> pod = registry_.Find(pod_id);
  operation.ceiling = absl::Minutes(1) + HookTime(pod.ok() ? *(*pod)->config() : v1::PodConfig(), config, options_);
  if (config.id().empty()) config.set_id(options.request_id.empty() ? GenerateId() : IdOfRequest(options.request_id));
  SubmitForContainer(
      pod_id, config.id(), operation,
      [this, config](Pod& pod, Grant& grant) { return CreateContainerBody(pod, config, grant); }, std::move(done));
}

absl::Status LivePodRuntime::CreateContainerBody(Pod& pod, const v1::ContainerConfig& asked, const Grant& grant) {
  VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kCreateContainer, pod.id(), pod.state()));
  v1::ContainerConfig config = asked;
  const AgentCapabilities agent = pod.agent().capabilities();
  VCD_RETURN_IF_ERROR(ValidateContainerConfig(config, agent.runs_processes));
  VCD_RETURN_IF_ERROR(CheckVolumeTags(config, *pod.config(), "config"));
  VCD_RETURN_IF_ERROR(CheckHooksRun(config.hooks(), options_, agent, "config.hooks"));
  VCD_RETURN_IF_ERROR(CompleteContainerConfig(config, options_.host, agent.ReadsRootfs(), "config"));
  if (pod.ViewContainer(config.id()).ok()) {
    return WithDetail(absl::AlreadyExistsError(absl::StrCat("container ", config.id(), " of pod ", pod.id(),
                                                            ": the id is taken; choose another, or delete it first")),
                      {v1::ERROR_REASON_CONTAINER_EXISTS, {{"pod_id", pod.id()}, {"container_id", config.id()}}});
  }
  v1::PodConfig grown = *pod.config();
  *grown.add_containers() = config;
  VCD_RETURN_IF_ERROR(CheckConfigSize(grown));
  state::v1::ContainerRecord record;
  record.set_id(config.id());
  record.set_state(v1::CONTAINER_STATE_CREATING);
  StampNow(record.mutable_created_at());
  MarkPoststopDue(config, record);
  // `creating` is the intent: recovery removes a container that it finds so.
  VCD_RETURN_IF_ERROR(Store(pod, record));
  absl::Status status =
      pod.ChangeConfig([&config](v1::PodConfig& pod_config) { *pod_config.add_containers() = config; });
  state::v1::PodRecord pod_record = pod.record();
  const bool begun = status.ok();
  if (begun) status = CreateInGuest(pod, config, pod_record, record, grant.context, grant.clock);
  if (status.ok()) {
    status = Store(pod, record, grant.request);
    if (!status.ok()) {
      (void)RemoveFromGuest(pod, record, {absl::Now() + absl::Seconds(10), grant.context.cancellation});
    }
  }
  if (!status.ok()) {
    pod.DropLog(config.id());
    pod.RemoveProcesses(config.id(), status);
    if (begun) RunContainerPoststop(pod, config.id(), PoststopLimits(grant));
    (void)RemoveContainerLog(filesystem_, pod.LogPath(config.id()));
    (void)ForgetContainer(pod, config.id(), {});
    return OfPod(status, pod.id());
  }
  LogInfo(pod.id(), absl::StrCat("container ", config.id(), " ready"));
  pod.Tell(v1::EVENT_TYPE_CONTAINER_CREATED, config.id());
  return absl::OkStatus();
}

void LivePodRuntime::StartContainer(const std::string& pod_id, const std::string& container_id,
                                    const MutationOptions& options, ContainerCallback done) {
  Operation operation;
  operation.name = "StartContainer";
  operation.options = options;
  operation.fingerprint = RequestFingerprint({operation.name, pod_id, container_id});
  // Whichever of its containers it is.
  operation.ceiling = absl::Minutes(1) + HookTimeOf(pod_id);
  SubmitForContainer(
      pod_id, container_id, operation,
      [this, container_id](Pod& pod, Grant& grant) { return StartContainerBody(pod, container_id, grant); },
      std::move(done));
}

absl::Status LivePodRuntime::MakeAnew(Pod& pod, const v1::ContainerConfig& config, state::v1::ContainerRecord& record,
                                      const Grant& grant) {
  // What is left of its last life goes first, but nothing that the guest alone still knows. After a crash before Store,
  // the record calls it stopped while the guest has it: recovery removes it there.
  VCD_RETURN_IF_ERROR(Annotate(pod.AwaitLogs(record.id(), grant.context), absl::StrCat("pod ", pod.id())));
  VCD_RETURN_IF_ERROR(RemoveFromGuest(pod, record, grant.context));
  pod.RemoveProcesses(record.id(), KilledStatus());
  RunContainerPoststop(pod, record.id(), PoststopLimits(grant));
  ForgetAttachments(record);
  MarkPoststopDue(config, record);
  if (record.poststop_due()) VCD_RETURN_IF_ERROR(Store(pod, record));
  state::v1::PodRecord pod_record = pod.record();
  if (state::v1::ContainerRecord* known = FindContainer(pod_record, record.id())) *known = record;
  const absl::Status created = CreateInGuest(pod, config, pod_record, record, grant.context, grant.clock);
  if (!created.ok()) RunContainerPoststop(pod, record.id(), PoststopLimits(grant));
  return created;
}

absl::Status LivePodRuntime::StartContainerBody(Pod& pod, const std::string& container_id, const Grant& grant) {
  const CallContext& context = grant.context;
  VCD_ASSIGN_OR_RETURN(Checked checked, Check(pod, PodOperation::kStartContainer, container_id));
  const bool was_stopped = checked.record.state() == v1::CONTAINER_STATE_STOPPED;
  if (was_stopped) VCD_RETURN_IF_ERROR(MakeAnew(pod, checked.config, checked.record, grant));
  // What was undone half way earlier may go on now.
  checked.record.set_removing(false);
  const absl::Status intended = pod.Change([&](state::v1::PodRecord& record) {
    PutContainer(pod, record, checked.record);
    SetUnderWay(record, state::v1::INTENT_START_CONTAINER, grant.request);
    record.mutable_under_way()->set_container_id(container_id);
  });
  if (!intended.ok()) {
    // One that was held already is as it was.
    if (was_stopped) {
      (void)RemoveFromGuest(pod, checked.record, {absl::Now() + absl::Seconds(10), context.cancellation});
      pod.RemoveProcesses(container_id, intended);
      RunContainerPoststop(pod, container_id, PoststopLimits(grant));
    }
    return intended;
  }
  const absl::Status started = StartInGuest(pod, checked.record, context);
  if (!started.ok()) {
    NoteFailedStart(pod, container_id, started);
    return started;
  }
  pod.Tell(v1::EVENT_TYPE_CONTAINER_STARTED, container_id);
  // It may have ended by now, which is recorded already.
  VCD_RETURN_IF_ERROR(pod.Change(
      [&](state::v1::PodRecord& record) {
        SetDone(record, grant.request);
        state::v1::ContainerRecord* known = FindContainer(record, container_id);
        if (known == nullptr) return;
        *known->mutable_started_at() = checked.record.started_at();
        if (known->state() == v1::CONTAINER_STATE_READY) known->set_state(v1::CONTAINER_STATE_RUNNING);
      },
      /*fact=*/true));
  RunPoststart(pod, checked.config, context, grant.clock);
  return absl::OkStatus();
}

void LivePodRuntime::StopContainer(const std::string& pod_id, const std::string& container_id, const StopOptions& stop,
                                   const MutationOptions& options, ContainerCallback done) {
  Operation operation;
  operation.name = "StopContainer";
  operation.options = options;
  operation.fingerprint = RequestFingerprint({operation.name, pod_id, container_id, stop.force ? "force" : "",
                                              absl::StrCat(absl::ToInt64Milliseconds(stop.grace))});
  operation.ceiling = std::max(stop.grace, options_.stop_grace) + absl::Minutes(1);
  SubmitForContainer(
      pod_id, container_id, operation,
      [this, container_id, stop](Pod& pod, Grant& grant) { return StopContainerBody(pod, container_id, stop, grant); },
      std::move(done));
}

absl::Status LivePodRuntime::StopContainerBody(Pod& pod, const std::string& container_id, const StopOptions& stop,
                                               const Grant& grant) {
  const PodOperation operation = stop.force ? PodOperation::kForceStopContainer : PodOperation::kStopContainer;
  VCD_ASSIGN_OR_RETURN(const Checked checked, Check(pod, operation, container_id));
  // One that has ended by itself holds what it has until it is stopped, so that its output and exit can be had.
  if (checked.record.state() == v1::CONTAINER_STATE_STOPPED && !HoldsAttachments(checked.record) &&
      !checked.record.poststop_due()) {
    return absl::OkStatus();
  }
  absl::Duration grace = stop.grace > absl::ZeroDuration() ? stop.grace : options_.stop_grace;
  if (stop.force) grace = absl::ZeroDuration();
  const auto end = [&] { return EndContainer(pod, container_id, grace, grant.request, grant.context); };
  if (pod.state() != v1::POD_STATE_PAUSED) {
    VCD_RETURN_IF_ERROR(end());
  } else {
    VCD_RETURN_IF_ERROR(RunPausedPod(
        pod, [&](state::v1::PodRecord& record) { record.mutable_under_way()->set_container_id(container_id); }, end,
        grant));
  }
  RunContainerPoststop(pod, container_id, PoststopLimits(grant, stop.force));
  return absl::OkStatus();
}

absl::Status LivePodRuntime::RunPausedPod(Pod& pod, const std::function<void(state::v1::PodRecord&)>& intend,
                                          const std::function<absl::Status()>& work, const Grant& grant) {
  VCD_RETURN_IF_ERROR(pod.ChangeToEnd([&](state::v1::PodRecord& record) {
    SetUnderWay(record, state::v1::INTENT_END_CONTAINER, grant.request);
    intend(record);
  }));
  absl::Status status = WakeGuest(pod, grant.context);
  if (status.ok()) status = work();
  status.Update(PauseAgain(pod, {}, grant.context));
  return OfPod(status, pod.id());
}

void LivePodRuntime::DeleteContainer(const std::string& pod_id, const std::string& container_id, bool force,
                                     const MutationOptions& options, DoneCallback done) {
  Operation operation;
  operation.name = "DeleteContainer";
  operation.options = options;
  operation.fingerprint = RequestFingerprint({operation.name, pod_id, container_id, force ? "force" : ""});
  operation.ceiling = absl::Minutes(1);
  Submit(
      pod_id, operation,
      [this, container_id, force](Pod& pod, Grant& grant) {
        return DeleteContainerBody(pod, container_id, force, grant);
      },
      std::move(done));
}

absl::Status LivePodRuntime::DeleteContainerBody(Pod& pod, const std::string& container_id, bool force,
                                                 const Grant& grant) {
  const PodOperation operation = force ? PodOperation::kForceDeleteContainer : PodOperation::kDeleteContainer;
  VCD_ASSIGN_OR_RETURN(Checked checked, Check(pod, operation, container_id));
  // The intent: recovery finishes what a crash cuts off.
  const auto mark = [&](bool removing) {
    return [&, removing](state::v1::PodRecord& record) {
      if (state::v1::ContainerRecord* known = FindContainer(record, container_id)) known->set_removing(removing);
    };
  };
  const auto remove = [&] {
    if (HasEnded(checked.record)) return RemoveFromGuest(pod, checked.record, grant.context);
    // Recorded as ended, should what comes after fail.
    return EndContainer(pod, container_id, absl::ZeroDuration(), {}, grant.context);
  };
  absl::Status removed;
  if (pod.state() == v1::POD_STATE_PAUSED) {
    removed = RunPausedPod(pod, mark(true), remove, grant);
  } else {
    VCD_RETURN_IF_ERROR(pod.ChangeToEnd(mark(true)));
    removed = remove();
  }
  if (!removed.ok()) {
    (void)pod.ChangeToEnd(mark(false));
    return removed;
  }
  pod.DropLog(container_id);
  pod.RemoveProcesses(container_id, KilledStatus());
  RunContainerPoststop(pod, container_id, PoststopLimits(grant, force));
  // Before the record goes: after that nobody would look for it.
  VCD_RETURN_IF_ERROR(RemoveContainerLog(filesystem_, pod.LogPath(container_id)));
  VCD_RETURN_IF_ERROR(ForgetContainer(pod, container_id, grant.request));
  LogInfo(pod.id(), absl::StrCat("container ", container_id, " deleted"));
  pod.Tell(v1::EVENT_TYPE_CONTAINER_DELETED, container_id);
  return absl::OkStatus();
}

}  // namespace vcd

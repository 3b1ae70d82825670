// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/model/ids.h"
#include "core/model/pod_validation.h"
#include "core/pod/container_config.h"
#include "core/pod/container_lifecycle.h"
#include "core/pod/live_pod_runtime.h"
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
absl::Status Store(Pod& pod, const state::v1::ContainerRecord& container, bool fact = false) {
  return pod.Change(
      [&](state::v1::PodRecord& record) {
        state::v1::ContainerRecord* known = FindContainer(record, container.id());
        if (known == nullptr) known = record.add_containers();
        *known = container;
        if (pod.machine() != nullptr) *record.mutable_vm() = pod.machine()->Record();
      },
      fact);
}

}  // namespace

void LivePodRuntime::CreateContainer(const std::string& pod_id, v1::ContainerConfig config, absl::Time deadline,
                                     ContainerCallback done) {
  if (config.id().empty()) config.set_id(GenerateId());
  Request request;
  request.operation = "CreateContainer";
  request.deadline = deadline;
  request.ceiling = absl::Minutes(1);
  SubmitForContainer(
      pod_id, config.id(), request,
      [this, config](Pod& pod, Grant& grant) { return CreateContainerBody(pod, config, grant.context); },
      std::move(done));
}

absl::Status LivePodRuntime::CreateContainerBody(Pod& pod, const v1::ContainerConfig& asked,
                                                 const CallContext& context) {
  VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kCreateContainer, pod.id(), pod.state()));
  v1::ContainerConfig config = asked;
  const AgentCapabilities agent = pod.agent().capabilities();
  VCD_RETURN_IF_ERROR(ValidateContainerConfig(config, agent.runs_processes));
  VCD_RETURN_IF_ERROR(CompleteContainerConfig(config, agent.ReadsRootfs(), "config"));
  if (pod.ViewContainer(config.id()).ok()) {
    return WithDetail(absl::AlreadyExistsError(absl::StrCat("container ", config.id(), " of pod ", pod.id(),
                                                            ": the id is taken; choose another, or delete it first")),
                      {v1::ERROR_REASON_CONTAINER_EXISTS, {{"pod_id", pod.id()}, {"container_id", config.id()}}});
  }
  state::v1::ContainerRecord record;
  record.set_id(config.id());
  record.set_state(v1::CONTAINER_STATE_CREATING);
  StampNow(record.mutable_created_at());
  // `creating` is the intent: recovery removes a container that it finds so.
  VCD_RETURN_IF_ERROR(Store(pod, record));
  absl::Status status =
      pod.ChangeConfig([&config](v1::PodConfig& pod_config) { *pod_config.add_containers() = config; });
  state::v1::PodRecord pod_record = pod.record();
  if (status.ok()) status = CreateInGuest(pod, config, pod_record, record, context);
  if (status.ok()) {
    status = Store(pod, record);
    if (!status.ok()) (void)RemoveFromGuest(pod, record, {absl::Now() + absl::Seconds(10), nullptr});
  }
  if (!status.ok()) {
    pod.RemoveProcesses(config.id(), status);
    (void)ForgetContainer(pod, config.id());
    return Annotate(status, absl::StrCat("pod ", pod.id()));
  }
  LogInfo(pod.id(), absl::StrCat("container ", config.id(), " ready"));
  pod.Tell(v1::EVENT_TYPE_CONTAINER_CREATED, config.id());
  return absl::OkStatus();
}

void LivePodRuntime::StartContainer(const std::string& pod_id, const std::string& container_id, absl::Time deadline,
                                    ContainerCallback done) {
  Request request;
  request.operation = "StartContainer";
  request.deadline = deadline;
  request.ceiling = absl::Minutes(1);
  SubmitForContainer(
      pod_id, container_id, request,
      [this, container_id](Pod& pod, Grant& grant) { return StartContainerBody(pod, container_id, grant.context); },
      std::move(done));
}

absl::Status LivePodRuntime::StartContainerBody(Pod& pod, const std::string& container_id, const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(Checked checked, Check(pod, PodOperation::kStartContainer, container_id));
  if (checked.record.state() == v1::CONTAINER_STATE_STOPPED) {
    // What is left of its last life goes first.
    VCD_RETURN_IF_ERROR(RemoveFromGuest(pod, checked.record, context));
    pod.RemoveProcesses(container_id, KilledStatus());
    checked.record.clear_disk_id();
    checked.record.clear_share_tag();
    state::v1::PodRecord pod_record = pod.record();
    if (state::v1::ContainerRecord* known = FindContainer(pod_record, container_id)) *known = checked.record;
    VCD_RETURN_IF_ERROR(CreateInGuest(pod, checked.config, pod_record, checked.record, context));
  }
  VCD_RETURN_IF_ERROR(Store(pod, checked.record));
  VCD_RETURN_IF_ERROR(StartInGuest(pod, checked.record, context));
  pod.Tell(v1::EVENT_TYPE_CONTAINER_STARTED, container_id);
  // It may have ended by now, which is recorded already.
  return pod.Change(
      [&](state::v1::PodRecord& record) {
        state::v1::ContainerRecord* known = FindContainer(record, container_id);
        if (known == nullptr) return;
        *known->mutable_started_at() = checked.record.started_at();
        if (known->state() == v1::CONTAINER_STATE_READY) known->set_state(v1::CONTAINER_STATE_RUNNING);
      },
      /*fact=*/true);
}

void LivePodRuntime::StopContainer(const std::string& pod_id, const std::string& container_id, absl::Duration grace,
                                   absl::Time deadline, ContainerCallback done) {
  Request request;
  request.operation = "StopContainer";
  request.deadline = deadline;
  request.ceiling = std::max(grace, options_.stop_grace) + absl::Minutes(1);
  SubmitForContainer(
      pod_id, container_id, request,
      [this, container_id, grace](Pod& pod, Grant& grant) {
        return StopContainerBody(pod, container_id, grace > absl::ZeroDuration() ? grace : options_.stop_grace,
                                 grant.context);
      },
      std::move(done));
}

absl::Status LivePodRuntime::StopContainerBody(Pod& pod, const std::string& container_id, absl::Duration grace,
                                               const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(Checked checked, Check(pod, PodOperation::kStopContainer, container_id));
  if (checked.record.state() == v1::CONTAINER_STATE_STOPPED) return absl::OkStatus();
  VCD_RETURN_IF_ERROR(EndProcesses(pod, {container_id}, grace, context));
  pod.RecordExits();
  VCD_RETURN_IF_ERROR(RemoveFromGuest(pod, checked.record, context));
  pod.RemoveProcesses(container_id, KilledStatus());
  return pod.Change(
      [&](state::v1::PodRecord& record) {
        state::v1::ContainerRecord* known = FindContainer(record, container_id);
        if (known == nullptr) return;
        known->set_state(v1::CONTAINER_STATE_STOPPED);
        known->set_guest_pid(0);
        known->clear_disk_id();
        known->clear_share_tag();
        *record.mutable_vm() = pod.machine()->Record();
        if (!known->has_finished_at()) StampNow(known->mutable_finished_at());
      },
      /*fact=*/true);
}

void LivePodRuntime::DeleteContainer(const std::string& pod_id, const std::string& container_id, absl::Time deadline,
                                     DoneCallback done) {
  Request request;
  request.operation = "DeleteContainer";
  request.deadline = deadline;
  request.ceiling = absl::Minutes(1);
  Submit(
      pod_id, request,
      [this, container_id](Pod& pod, Grant& grant) { return DeleteContainerBody(pod, container_id, grant.context); },
      std::move(done));
}

absl::Status LivePodRuntime::DeleteContainerBody(Pod& pod, const std::string& container_id,
                                                 const CallContext& context) {
  VCD_ASSIGN_OR_RETURN(Checked checked, Check(pod, PodOperation::kDeleteContainer, container_id));
  VCD_RETURN_IF_ERROR(RemoveFromGuest(pod, checked.record, context));
  pod.RemoveProcesses(container_id, KilledStatus());
  VCD_RETURN_IF_ERROR(ForgetContainer(pod, container_id));
  VCD_RETURN_IF_ERROR(filesystem_.RemoveFile(pod.LogPath(container_id)));
  LogInfo(pod.id(), absl::StrCat("container ", container_id, " deleted"));
  pod.Tell(v1::EVENT_TYPE_CONTAINER_DELETED, container_id);
  return absl::OkStatus();
}

}  // namespace vcd

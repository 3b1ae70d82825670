// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/container_service.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"
#include "daemon/service/archive_call.h"
#include "daemon/service/mutation.h"
#include "daemon/service/request_check.h"
#include "daemon/service/unary_call.h"

namespace vcd {
namespace {

// Answers a call with the container that the runtime gives.
template <typename Response>
PodRuntime::ContainerCallback AnswerWithContainer(const UnaryCall& call, Response* response) {
  return [call, response](absl::StatusOr<v1::Container> container) {
    if (container.ok()) *response->mutable_container() = *std::move(container);
    call.Finish(container.status());
  };
}

// A container out of the pod's snapshot.
absl::StatusOr<v1::Container> FindContainer(const PodRuntime& runtime, const std::string& pod_id,
                                            const std::string& container_id) {
  VCD_RETURN_IF_ERROR(CheckContainerIds(pod_id, container_id));
  VCD_ASSIGN_OR_RETURN(const std::shared_ptr<const PodSnapshot> snapshot, runtime.GetPod(pod_id));
  const v1::Pod pod = snapshot->Unpack();
  for (const v1::Container& container : pod.containers()) {
    if (container.id() == container_id) return container;
  }
  return WithDetail(absl::NotFoundError(absl::StrCat("pod `", pod_id, "` has no container `", container_id,
                                                     "`; ListContainers tells which it has")),
                    {v1::ERROR_REASON_CONTAINER_NOT_FOUND, {{"pod_id", pod_id}, {"container_id", container_id}}});
}

}  // namespace

grpc::ServerUnaryReactor* ContainerService::CreateContainer(grpc::CallbackServerContext* context,
                                                            const v1::CreateContainerRequest* request,
                                                            v1::CreateContainerResponse* response) {
  const UnaryCall call(context, "CreateContainer", CallKind::kMutation, request->pod_id());
  absl::Status status = CheckId("pod_id", request->pod_id());
  if (status.ok()) status = CheckOptionalId("config.id", request->config().id());
  if (!status.ok()) return call.FinishNow(status);
  runtime_.CreateContainer(request->pod_id(), request->config(), OptionsOf(call, *request),
                           AnswerWithContainer(call, response));
  return call.reactor();
}

grpc::ServerUnaryReactor* ContainerService::StartContainer(grpc::CallbackServerContext* context,
                                                           const v1::StartContainerRequest* request,
                                                           v1::StartContainerResponse* response) {
  const UnaryCall call(context, "StartContainer", CallKind::kMutation, request->pod_id());
  const absl::Status status = CheckContainerIds(request->pod_id(), request->container_id());
  if (!status.ok()) return call.FinishNow(status);
  runtime_.StartContainer(request->pod_id(), request->container_id(), OptionsOf(call, *request),
                          AnswerWithContainer(call, response));
  return call.reactor();
}

grpc::ServerUnaryReactor* ContainerService::StopContainer(grpc::CallbackServerContext* context,
                                                          const v1::StopContainerRequest* request,
                                                          v1::StopContainerResponse* response) {
  const UnaryCall call(context, "StopContainer", CallKind::kMutation, request->pod_id());
  const absl::Status status = CheckContainerIds(request->pod_id(), request->container_id());
  if (!status.ok()) return call.FinishNow(status);
  StopOptions options;
  options.force = request->force();
  options.grace = absl::Seconds(request->grace_seconds());
  runtime_.StopContainer(request->pod_id(), request->container_id(), options, OptionsOf(call, *request),
                         [call, response](absl::StatusOr<v1::Container> container) {
                           if (WasGone(container.status())) return call.Finish(absl::OkStatus());
                           response->set_existed(true);
                           if (container.ok()) *response->mutable_container() = *std::move(container);
                           call.Finish(container.status());
                         });
  return call.reactor();
}

grpc::ServerUnaryReactor* ContainerService::KillContainer(grpc::CallbackServerContext* context,
                                                          const v1::KillContainerRequest* request,
                                                          v1::KillContainerResponse*) {
  const UnaryCall call(context, "KillContainer", CallKind::kMutation, request->pod_id());
  absl::Status status = CheckContainerIds(request->pod_id(), request->container_id());
  if (status.ok()) status = CheckSignal(request->signal());
  if (!status.ok()) return call.FinishNow(status);
  runtime_.Signal(request->pod_id(), ProcessKey{request->container_id(), ""}, request->signal(), request->all(),
                  OptionsOf(call, *request), [call](absl::Status done) { call.Finish(done); });
  return call.reactor();
}

grpc::ServerUnaryReactor* ContainerService::DeleteContainer(grpc::CallbackServerContext* context,
                                                            const v1::DeleteContainerRequest* request,
                                                            v1::DeleteContainerResponse* response) {
  const UnaryCall call(context, "DeleteContainer", CallKind::kMutation, request->pod_id());
  const absl::Status status = CheckContainerIds(request->pod_id(), request->container_id());
  if (!status.ok()) return call.FinishNow(status);
  runtime_.DeleteContainer(request->pod_id(), request->container_id(), request->force(), OptionsOf(call, *request),
                           [call, response](absl::Status done) {
                             if (WasGone(done)) return call.Finish(absl::OkStatus());
                             response->set_existed(true);
                             call.Finish(done);
                           });
  return call.reactor();
}

grpc::ServerUnaryReactor* ContainerService::GetContainer(grpc::CallbackServerContext* context,
                                                         const v1::GetContainerRequest* request,
                                                         v1::GetContainerResponse* response) {
  const UnaryCall call(context, "GetContainer", CallKind::kRead, request->pod_id());
  absl::StatusOr<v1::Container> container = FindContainer(runtime_, request->pod_id(), request->container_id());
  if (container.ok()) *response->mutable_container() = *std::move(container);
  return call.FinishNow(container.status());
}

grpc::ServerUnaryReactor* ContainerService::ListContainers(grpc::CallbackServerContext* context,
                                                           const v1::ListContainersRequest* request,
                                                           v1::ListContainersResponse* response) {
  const UnaryCall call(context, "ListContainers", CallKind::kRead, request->pod_id());
  if (absl::Status status = CheckId("pod_id", request->pod_id()); !status.ok()) return call.FinishNow(status);
  const auto pod = runtime_.GetPod(request->pod_id());
  if (pod.ok()) *response->mutable_containers() = (*pod)->Unpack().containers();
  return call.FinishNow(pod.status());
}

grpc::ServerWriteReactor<v1::ReadArchiveResponse>* ContainerService::ReadArchive(
    grpc::CallbackServerContext* context, const v1::ReadArchiveRequest* request) {
  return StartReadArchive(runtime_, context, *request);
}

grpc::ServerReadReactor<v1::WriteArchiveRequest>* ContainerService::WriteArchive(grpc::CallbackServerContext* context,
                                                                                 v1::WriteArchiveResponse*) {
  return StartWriteArchive(runtime_, context);
}

grpc::ServerUnaryReactor* ContainerService::UpdateContainer(grpc::CallbackServerContext* context,
                                                            const v1::UpdateContainerRequest* request,
                                                            v1::UpdateContainerResponse* response) {
  const UnaryCall call(context, "UpdateContainer", CallKind::kMutation, request->pod_id());
  const absl::Status status = CheckContainerIds(request->pod_id(), request->container_id());
  if (!status.ok()) return call.FinishNow(status);
  runtime_.UpdateContainer(request->pod_id(), request->container_id(), request->resources(), OptionsOf(call, *request),
                           AnswerWithContainer(call, response));
  return call.reactor();
}

grpc::ServerUnaryReactor* ContainerService::ListProcesses(grpc::CallbackServerContext* context,
                                                          const v1::ListProcessesRequest* request,
                                                          v1::ListProcessesResponse* response) {
  const UnaryCall call(context, "ListProcesses", CallKind::kRead, request->pod_id());
  const absl::Status status = CheckContainerIds(request->pod_id(), request->container_id());
  if (!status.ok()) return call.FinishNow(status);
  runtime_.ListProcesses(request->pod_id(), request->container_id(), call.deadline(),
                         [call, response](absl::StatusOr<std::vector<v1::ProcessInfo>> processes) {
                           if (processes.ok()) {
                             for (v1::ProcessInfo& info : *processes) *response->add_processes() = std::move(info);
                           }
                           call.Finish(processes.status());
                         });
  return call.reactor();
}

grpc::ServerUnaryReactor* ContainerService::GetContainerStats(grpc::CallbackServerContext* context,
                                                              const v1::GetContainerStatsRequest* request,
                                                              v1::GetContainerStatsResponse* response) {
  const UnaryCall call(context, "GetContainerStats", CallKind::kRead, request->pod_id());
  const absl::Status status = CheckContainerIds(request->pod_id(), request->container_id());
  if (!status.ok()) return call.FinishNow(status);
  runtime_.GetContainerStats(request->pod_id(), request->container_id(), call.deadline(),
                             [call, response](absl::StatusOr<v1::ContainerStats> stats) {
                               if (stats.ok()) *response->mutable_stats() = *std::move(stats);
                               call.Finish(stats.status());
                             });
  return call.reactor();
}

}  // namespace vcd

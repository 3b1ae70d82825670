// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/pod_service.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"
#include "daemon/service/console_stream.h"
#include "daemon/service/mutation.h"
#include "daemon/service/pod_list.h"
#include "daemon/service/request_check.h"
#include "daemon/service/unary_call.h"

namespace vcd {
namespace {

// Answers a call with the pod that the runtime gives.
template <typename Response>
PodRuntime::PodCallback AnswerWithPod(const UnaryCall& call, Response* response) {
  return [call, response](absl::StatusOr<v1::Pod> pod) {
    if (pod.ok()) *response->mutable_pod() = *std::move(pod);
    call.Finish(pod.status());
  };
}

// The request of a method that is served in bytes.
absl::Status Read(const grpc::ByteBuffer& request, google::protobuf::Message* asked) {
  grpc::ByteBuffer bytes = request;
  if (grpc::SerializationTraits<google::protobuf::Message>::Deserialize(&bytes, asked).ok()) return absl::OkStatus();
  asked->Clear();
  return absl::InvalidArgumentError(absl::StrCat("the request is no ", asked->GetTypeName()));
}

// Sends the bytes where they are.
grpc::ByteBuffer BufferOf(std::string bytes) {
  auto* kept = new std::string(std::move(bytes));
  const auto release = [](void* text) { delete static_cast<std::string*>(text); };
  const grpc::Slice slice(kept->data(), kept->size(), release, kept);
  return grpc::ByteBuffer(&slice, 1);
}

absl::Status AnnotationNotFound(const std::string& pod_id, const std::string& key) {
  return WithDetail(absl::NotFoundError(absl::StrCat("pod ", pod_id, ": has no annotation \"", key, "\"; `vc inspect ",
                                                     pod_id, "` shows those that it has")),
                    {v1::ERROR_REASON_ANNOTATION_NOT_FOUND, {{"pod_id", pod_id}, {"key", key}}});
}

}  // namespace

grpc::ServerUnaryReactor* PodService::CreatePod(grpc::CallbackServerContext* context,
                                                const v1::CreatePodRequest* request, v1::CreatePodResponse* response) {
  const UnaryCall call(context, "CreatePod", CallKind::kMutation, request->config().id());
  if (absl::Status status = CheckOptionalId("config.id", request->config().id()); !status.ok()) {
    return call.FinishNow(status);
  }
  runtime_.CreatePod(request->config(), OptionsOf(call, *request), AnswerWithPod(call, response));
  return call.reactor();
}

grpc::ServerUnaryReactor* PodService::StartPod(grpc::CallbackServerContext* context, const v1::StartPodRequest* request,
                                               v1::StartPodResponse* response) {
  const UnaryCall call(context, "StartPod", CallKind::kMutation, request->pod_id());
  if (absl::Status status = CheckId("pod_id", request->pod_id()); !status.ok()) return call.FinishNow(status);
  runtime_.StartPod(request->pod_id(), OptionsOf(call, *request), AnswerWithPod(call, response));
  return call.reactor();
}

grpc::ServerUnaryReactor* PodService::RunPod(grpc::CallbackServerContext* context, const v1::RunPodRequest* request,
                                             v1::RunPodResponse* response) {
  const UnaryCall call(context, "RunPod", CallKind::kMutation, request->config().id());
  if (absl::Status status = CheckOptionalId("config.id", request->config().id()); !status.ok()) {
    return call.FinishNow(status);
  }
  runtime_.RunPod(request->config(), OptionsOf(call, *request), AnswerWithPod(call, response));
  return call.reactor();
}

grpc::ServerUnaryReactor* PodService::StopPod(grpc::CallbackServerContext* context, const v1::StopPodRequest* request,
                                              v1::StopPodResponse* response) {
  const UnaryCall call(context, "StopPod", CallKind::kMutation, request->pod_id());
  if (absl::Status status = CheckId("pod_id", request->pod_id()); !status.ok()) return call.FinishNow(status);
  StopOptions options;
  options.force = request->force();
  options.grace = absl::Seconds(request->grace_seconds());
  runtime_.StopPod(request->pod_id(), options, OptionsOf(call, *request),
                   [call, response](absl::StatusOr<v1::Pod> pod) {
                     if (WasGone(pod.status())) return call.Finish(absl::OkStatus());
                     response->set_existed(true);
                     if (pod.ok()) *response->mutable_pod() = *std::move(pod);
                     call.Finish(pod.status());
                   });
  return call.reactor();
}

grpc::ServerUnaryReactor* PodService::PausePod(grpc::CallbackServerContext* context, const v1::PausePodRequest* request,
                                               v1::PausePodResponse* response) {
  const UnaryCall call(context, "PausePod", CallKind::kMutation, request->pod_id());
  if (absl::Status status = CheckId("pod_id", request->pod_id()); !status.ok()) return call.FinishNow(status);
  runtime_.PausePod(request->pod_id(), OptionsOf(call, *request), AnswerWithPod(call, response));
  return call.reactor();
}

grpc::ServerUnaryReactor* PodService::ResumePod(grpc::CallbackServerContext* context,
                                                const v1::ResumePodRequest* request, v1::ResumePodResponse* response) {
  const UnaryCall call(context, "ResumePod", CallKind::kMutation, request->pod_id());
  if (absl::Status status = CheckId("pod_id", request->pod_id()); !status.ok()) return call.FinishNow(status);
  runtime_.ResumePod(request->pod_id(), OptionsOf(call, *request), AnswerWithPod(call, response));
  return call.reactor();
}

grpc::ServerUnaryReactor* PodService::DeletePod(grpc::CallbackServerContext* context,
                                                const v1::DeletePodRequest* request, v1::DeletePodResponse* response) {
  const UnaryCall call(context, "DeletePod", CallKind::kMutation, request->pod_id());
  if (absl::Status status = CheckId("pod_id", request->pod_id()); !status.ok()) return call.FinishNow(status);
  runtime_.DeletePod(request->pod_id(), request->force(), OptionsOf(call, *request),
                     [call, response](absl::StatusOr<Released> released) {
                       if (WasGone(released.status())) return call.Finish(absl::OkStatus());
                       response->set_existed(true);
                       if (released.ok()) {
                         const auto& [given_back, kept] = *released;
                         response->mutable_released()->Assign(given_back.begin(), given_back.end());
                         response->mutable_not_released()->Assign(kept.begin(), kept.end());
                       }
                       call.Finish(released.status());
                     });
  return call.reactor();
}

grpc::ServerUnaryReactor* PodService::GetPod(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                             grpc::ByteBuffer* response) {
  v1::GetPodRequest asked;
  const absl::Status readable = Read(*request, &asked);
  const UnaryCall call(context, "GetPod", CallKind::kRead, asked.pod_id());
  if (!readable.ok()) return call.FinishNow(readable);
  if (absl::Status status = CheckId("pod_id", asked.pod_id()); !status.ok()) return call.FinishNow(status);
  const auto pod = runtime_.GetPod(asked.pod_id());
  if (pod.ok()) *response = BufferOf(OnePod(**pod));
  return call.FinishNow(pod.status());
}

grpc::ServerUnaryReactor* PodService::ListPods(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                               grpc::ByteBuffer* response) {
  const UnaryCall call(context, "ListPods", CallKind::kRead, "");
  v1::ListPodsRequest asked;
  if (absl::Status status = Read(*request, &asked); !status.ok()) return call.FinishNow(status);
  absl::StatusOr<std::string> page =
      ListPage([this](const std::string& id, size_t most) { return runtime_.ListPodsAfter(id, most); }, asked);
  if (page.ok()) *response = BufferOf(*std::move(page));
  return call.FinishNow(page.status());
}

grpc::ServerUnaryReactor* PodService::GetPodAnnotation(grpc::CallbackServerContext* context,
                                                       const v1::GetPodAnnotationRequest* request,
                                                       v1::GetPodAnnotationResponse* response) {
  const UnaryCall call(context, "GetPodAnnotation", CallKind::kRead, request->pod_id());
  if (absl::Status status = CheckId("pod_id", request->pod_id()); !status.ok()) return call.FinishNow(status);
  const auto pod = runtime_.GetPod(request->pod_id());
  if (!pod.ok()) return call.FinishNow(pod.status());
  const v1::Pod shown = (*pod)->Unpack();
  const auto& annotations = shown.config().annotations();
  const auto found = annotations.find(request->key());
  if (found == annotations.end()) return call.FinishNow(AnnotationNotFound(request->pod_id(), request->key()));
  response->set_value(found->second);
  return call.FinishNow(absl::OkStatus());
}

grpc::ServerUnaryReactor* PodService::UpdatePod(grpc::CallbackServerContext* context,
                                                const v1::UpdatePodRequest* request, v1::UpdatePodResponse* response) {
  const UnaryCall call(context, "UpdatePod", CallKind::kMutation, request->pod_id());
  if (absl::Status status = CheckId("pod_id", request->pod_id()); !status.ok()) return call.FinishNow(status);
  runtime_.UpdatePod(request->pod_id(), request->resources(), OptionsOf(call, *request), AnswerWithPod(call, response));
  return call.reactor();
}

grpc::ServerUnaryReactor* PodService::UpdatePodAnnotations(grpc::CallbackServerContext* context,
                                                           const v1::UpdatePodAnnotationsRequest* request,
                                                           v1::UpdatePodAnnotationsResponse* response) {
  const UnaryCall call(context, "UpdatePodAnnotations", CallKind::kMutation, request->pod_id());
  if (absl::Status status = CheckId("pod_id", request->pod_id()); !status.ok()) return call.FinishNow(status);
  const std::map<std::string, std::string> set(request->annotations().begin(), request->annotations().end());
  const std::vector<std::string> remove(request->remove_keys().begin(), request->remove_keys().end());
  if (set.count("") != 0) return call.FinishNow(InvalidField("annotations", "holds an empty key"));
  runtime_.UpdatePodAnnotations(request->pod_id(), set, remove, OptionsOf(call, *request),
                                AnswerWithPod(call, response));
  return call.reactor();
}

grpc::ServerUnaryReactor* PodService::AttachInterface(grpc::CallbackServerContext* context,
                                                      const v1::AttachInterfaceRequest* request,
                                                      v1::AttachInterfaceResponse* response) {
  const UnaryCall call(context, "AttachInterface", CallKind::kMutation, request->pod_id());
  if (absl::Status status = CheckId("pod_id", request->pod_id()); !status.ok()) return call.FinishNow(status);
  runtime_.AttachInterface(request->pod_id(), request->network(), OptionsOf(call, *request),
                           [call, response](absl::StatusOr<AttachedInterface> attached) {
                             if (attached.ok()) {
                               *response->mutable_pod() = std::move(attached->pod);
                               response->set_interface_name(attached->interface_name);
                             }
                             call.Finish(attached.status());
                           });
  return call.reactor();
}

grpc::ServerUnaryReactor* PodService::DetachInterface(grpc::CallbackServerContext* context,
                                                      const v1::DetachInterfaceRequest* request,
                                                      v1::DetachInterfaceResponse* response) {
  const UnaryCall call(context, "DetachInterface", CallKind::kMutation, request->pod_id());
  if (absl::Status status = CheckId("pod_id", request->pod_id()); !status.ok()) return call.FinishNow(status);
  runtime_.DetachInterface(request->pod_id(), request->interface_name(), OptionsOf(call, *request),
                           [call, response](absl::StatusOr<DetachedInterface> detached) {
                             if (detached.ok()) {
                               *response->mutable_pod() = std::move(detached->pod);
                               response->set_existed(detached->existed);
                             }
                             call.Finish(detached.status());
                           });
  return call.reactor();
}

grpc::ServerUnaryReactor* PodService::CheckpointPod(grpc::CallbackServerContext* context,
                                                    const v1::CheckpointPodRequest* request,
                                                    v1::CheckpointPodResponse* response) {
  const UnaryCall call(context, "CheckpointPod", CallKind::kMutation, request->pod_id());
  if (absl::Status status = CheckId("pod_id", request->pod_id()); !status.ok()) return call.FinishNow(status);
  runtime_.CheckpointPod(request->pod_id(), request->directory(), request->stop(), OptionsOf(call, *request),
                         [call, response](absl::StatusOr<CheckpointedPod> checkpointed) {
                           if (checkpointed.ok()) {
                             *response->mutable_pod() = std::move(checkpointed->pod);
                             response->set_size_bytes(checkpointed->size_bytes);
                           }
                           call.Finish(checkpointed.status());
                         });
  return call.reactor();
}

grpc::ServerUnaryReactor* PodService::RestorePod(grpc::CallbackServerContext* context,
                                                 const v1::RestorePodRequest* request,
                                                 v1::RestorePodResponse* response) {
  const UnaryCall call(context, "RestorePod", CallKind::kMutation, request->pod_id());
  if (absl::Status status = CheckOptionalId("pod_id", request->pod_id()); !status.ok()) return call.FinishNow(status);
  runtime_.RestorePod(request->directory(), request->pod_id(), OptionsOf(call, *request),
                      AnswerWithPod(call, response));
  return call.reactor();
}

grpc::ServerUnaryReactor* PodService::GetPodStats(grpc::CallbackServerContext* context,
                                                  const v1::GetPodStatsRequest* request,
                                                  v1::GetPodStatsResponse* response) {
  const UnaryCall call(context, "GetPodStats", CallKind::kRead, request->pod_id());
  if (absl::Status status = CheckId("pod_id", request->pod_id()); !status.ok()) return call.FinishNow(status);
  runtime_.GetPodStats(request->pod_id(), call.deadline(), [call, response](absl::StatusOr<v1::PodStats> stats) {
    if (stats.ok()) *response->mutable_stats() = *std::move(stats);
    call.Finish(stats.status());
  });
  return call.reactor();
}

grpc::ServerWriteReactor<v1::ReadConsoleResponse>* PodService::ReadConsole(grpc::CallbackServerContext*,
                                                                           const v1::ReadConsoleRequest* request) {
  return StartConsoleStream(runtime_, *request);
}

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "client/testing/fake_pod_service.h"

#include <mutex>
#include <string>

#include "absl/strings/str_cat.h"

namespace vcd::client {

template <typename Request>
grpc::Status FakePodService::Create(grpc::ServerContext* context, const std::string& method, const Request& request,
                                    v1::PodState state, v1::Pod* answer) {
  {
    std::lock_guard<std::mutex> lock(state_.mutex);
    state_.last_config = request.config();
  }
  if (grpc::Status status = state_.Enter(context, method, request, request.config().id()); !status.ok()) return status;
  v1::Pod pod;
  pod.set_id(request.config().id().empty() ? "generated" : request.config().id());
  pod.set_state(state);
  for (const auto& config : request.config().containers()) {
    v1::Container* container = pod.add_containers();
    container->set_id(config.id());
    container->set_state(v1::CONTAINER_STATE_READY);
    *container->mutable_config() = config;
  }
  *pod.mutable_config() = request.config();
  pod.mutable_config()->clear_containers();  // Each carries its own.
  std::lock_guard<std::mutex> lock(state_.mutex);
  if (!state_.pods.emplace(pod.id(), pod).second) {
    return DaemonError(grpc::StatusCode::ALREADY_EXISTS, "POD_EXISTS", absl::StrCat("pod \"", pod.id(), "\" exists"));
  }
  *answer = pod;
  return grpc::Status::OK;
}

template <typename Request>
grpc::Status FakePodService::Move(grpc::ServerContext* context, const std::string& method, const Request& request,
                                  v1::PodState state, v1::Pod* answer) {
  if (grpc::Status status = state_.Enter(context, method, request, request.pod_id()); !status.ok()) return status;
  std::lock_guard<std::mutex> lock(state_.mutex);
  const auto found = state_.pods.find(request.pod_id());
  if (found == state_.pods.end()) return NoPod(request.pod_id());
  found->second.set_state(state);
  *answer = found->second;
  state_.changed.notify_all();
  return grpc::Status::OK;
}

grpc::Status FakePodService::CreatePod(grpc::ServerContext* context, const v1::CreatePodRequest* request,
                                       v1::CreatePodResponse* response) {
  return Create(context, "CreatePod", *request, v1::POD_STATE_READY, response->mutable_pod());
}

grpc::Status FakePodService::RunPod(grpc::ServerContext* context, const v1::RunPodRequest* request,
                                    v1::RunPodResponse* response) {
  return Create(context, "RunPod", *request, v1::POD_STATE_RUNNING, response->mutable_pod());
}

grpc::Status FakePodService::StartPod(grpc::ServerContext* context, const v1::StartPodRequest* request,
                                      v1::StartPodResponse* response) {
  return Move(context, "StartPod", *request, v1::POD_STATE_RUNNING, response->mutable_pod());
}

grpc::Status FakePodService::StopPod(grpc::ServerContext* context, const v1::StopPodRequest* request,
                                     v1::StopPodResponse* response) {
  response->set_existed(state_.Has(request->pod_id()));
  if (!response->existed()) return state_.Enter(context, "StopPod", *request);
  return Move(context, "StopPod", *request, v1::POD_STATE_STOPPED, response->mutable_pod());
}

grpc::Status FakePodService::PausePod(grpc::ServerContext* context, const v1::PausePodRequest* request,
                                      v1::PausePodResponse* response) {
  return Move(context, "PausePod", *request, v1::POD_STATE_PAUSED, response->mutable_pod());
}

grpc::Status FakePodService::ResumePod(grpc::ServerContext* context, const v1::ResumePodRequest* request,
                                       v1::ResumePodResponse* response) {
  return Move(context, "ResumePod", *request, v1::POD_STATE_RUNNING, response->mutable_pod());
}

grpc::Status FakePodService::DeletePod(grpc::ServerContext* context, const v1::DeletePodRequest* request,
                                       v1::DeletePodResponse* response) {
  if (grpc::Status status = state_.Enter(context, "DeletePod", *request); !status.ok()) return status;
  std::lock_guard<std::mutex> lock(state_.mutex);
  if (request->force()) state_.preempted.insert(request->pod_id());
  state_.changed.notify_all();
  response->set_existed(state_.pods.erase(request->pod_id()) != 0);
  *response->mutable_not_released() = {state_.not_released.begin(), state_.not_released.end()};
  return grpc::Status::OK;
}

grpc::Status FakePodService::GetPod(grpc::ServerContext* context, const v1::GetPodRequest* request,
                                    v1::GetPodResponse* response) {
  if (grpc::Status status = state_.Enter(context, "GetPod", *request); !status.ok()) return status;
  std::lock_guard<std::mutex> lock(state_.mutex);
  const auto found = state_.pods.find(request->pod_id());
  if (found == state_.pods.end()) return NoPod(request->pod_id());
  *response->mutable_pod() = found->second;
  return grpc::Status::OK;
}

// The token of a page is the id that its first pod must be greater than.
grpc::Status FakePodService::ListPods(grpc::ServerContext* context, const v1::ListPodsRequest* request,
                                      v1::ListPodsResponse* response) {
  if (grpc::Status status = state_.Enter(context, "ListPods", *request); !status.ok()) return status;
  std::lock_guard<std::mutex> lock(state_.mutex);
  for (auto pod = state_.pods.upper_bound(request->page_token()); pod != state_.pods.end(); ++pod) {
    if (response->pods_size() == state_.page_size) {
      response->set_next_page_token(response->pods(state_.page_size - 1).id());
      break;
    }
    *response->add_pods() = pod->second;
  }
  return grpc::Status::OK;
}

grpc::Status FakePodService::GetPodAnnotation(grpc::ServerContext* context, const v1::GetPodAnnotationRequest* request,
                                              v1::GetPodAnnotationResponse* response) {
  if (grpc::Status status = state_.Enter(context, "GetPodAnnotation", *request); !status.ok()) return status;
  std::lock_guard<std::mutex> lock(state_.mutex);
  const auto& annotations = state_.pods[request->pod_id()].config().annotations();
  const auto found = annotations.find(request->key());
  if (found == annotations.end()) {
    return DaemonError(grpc::StatusCode::NOT_FOUND, "ANNOTATION_NOT_FOUND", "has no such annotation");
  }
  response->set_value(found->second);
  return grpc::Status::OK;
}

grpc::Status FakePodService::CheckpointPod(grpc::ServerContext* context, const v1::CheckpointPodRequest* request,
                                           v1::CheckpointPodResponse* response) {
  response->set_size_bytes(3 << 20);
  return state_.Enter(context, "CheckpointPod", *request);
}

grpc::Status FakePodService::RestorePod(grpc::ServerContext* context, const v1::RestorePodRequest* request,
                                        v1::RestorePodResponse* response) {
  response->mutable_pod()->set_id(request->pod_id().empty() ? "as-it-was" : request->pod_id());
  return state_.Enter(context, "RestorePod", *request);
}

grpc::Status FakePodService::UpdatePod(grpc::ServerContext* context, const v1::UpdatePodRequest* request,
                                       v1::UpdatePodResponse*) {
  return state_.Enter(context, "UpdatePod", *request);
}

grpc::Status FakePodService::UpdatePodAnnotations(grpc::ServerContext* context,
                                                  const v1::UpdatePodAnnotationsRequest* request,
                                                  v1::UpdatePodAnnotationsResponse*) {
  return state_.Enter(context, "UpdatePodAnnotations", *request);
}

// Interfaces are called eth1 unless named.
grpc::Status FakePodService::AttachInterface(grpc::ServerContext* context, const v1::AttachInterfaceRequest* request,
                                             v1::AttachInterfaceResponse* response) {
  if (grpc::Status status = state_.Enter(context, "AttachInterface", *request); !status.ok()) return status;
  const std::string& name = request->network().interface_name();
  response->set_interface_name(name.empty() ? "eth1" : name);
  return grpc::Status::OK;
}

grpc::Status FakePodService::DetachInterface(grpc::ServerContext* context, const v1::DetachInterfaceRequest* request,
                                             v1::DetachInterfaceResponse* response) {
  if (grpc::Status status = state_.Enter(context, "DetachInterface", *request); !status.ok()) return status;
  std::lock_guard<std::mutex> lock(state_.mutex);
  for (const v1::PodInterface& interface : state_.pods[request->pod_id()].network().interfaces()) {
    if (interface.name() == request->interface_name()) response->set_existed(true);
  }
  return grpc::Status::OK;
}

grpc::Status FakePodService::GetPodStats(grpc::ServerContext* context, const v1::GetPodStatsRequest* request,
                                         v1::GetPodStatsResponse* response) {
  if (grpc::Status status = state_.Enter(context, "GetPodStats", *request); !status.ok()) return status;
  std::lock_guard<std::mutex> lock(state_.mutex);
  if (!state_.pod_stats.empty()) *response->mutable_stats() = state_.pod_stats.front();
  if (state_.pod_stats.size() > 1) state_.pod_stats.erase(state_.pod_stats.begin());
  return grpc::Status::OK;
}

grpc::Status FakePodService::ReadConsole(grpc::ServerContext* context, const v1::ReadConsoleRequest* request,
                                         grpc::ServerWriter<v1::ReadConsoleResponse>* writer) {
  if (grpc::Status status = state_.Enter(context, "ReadConsole", *request); !status.ok()) return status;
  v1::ReadConsoleResponse response;
  {
    std::lock_guard<std::mutex> lock(state_.mutex);
    response.set_data(state_.console);
  }
  writer->Write(response);
  return grpc::Status::OK;
}

}  // namespace vcd::client

// SPDX-License-Identifier: Apache-2.0
#include "test/harness/api_client.h"

#include <chrono>

#include "third_party/google/rpc/error.pb.h"

namespace vcd {
namespace {

// For requests that have nothing but a pod's id.
template <typename Request>
Request ForPod(const std::string& pod_id) {
  Request request;
  request.set_pod_id(pod_id);
  return request;
}

template <typename Response>
ApiError TakePod(const ApiError& error, Response& response, v1::Pod* pod) {
  if (pod != nullptr) *pod = std::move(*response.mutable_pod());
  return error;
}

}  // namespace

ApiError DecodeError(const grpc::Status& status) {
  ApiError error;
  error.code = status.error_code();
  error.message = status.error_message();
  google::rpc::Status rich;
  google::rpc::ErrorInfo info;
  if (rich.ParseFromString(status.error_details()) && rich.details_size() == 1 && rich.details(0).UnpackTo(&info)) {
    error.domain = info.domain();
    error.reason = info.reason();
    error.metadata.insert(info.metadata().begin(), info.metadata().end());
  }
  return error;
}

std::ostream& operator<<(std::ostream& out, const ApiError& error) {
  out << "code " << error.code << ", reason `" << error.reason << "`: " << error.message;
  for (const auto& [key, value] : error.metadata) out << " [" << key << "=" << value << "]";
  return out;
}

void ApiClient::SetDeadline(grpc::ClientContext& context) {
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
}

ApiError ApiClient::CreatePod(const v1::PodConfig& config, v1::Pod* pod) {
  v1::CreatePodRequest request;
  *request.mutable_config() = config;
  v1::CreatePodResponse response;
  return TakePod(Call(*pods, &v1::PodService::Stub::CreatePod, request, &response), response, pod);
}

ApiError ApiClient::RunPod(const v1::PodConfig& config, v1::Pod* pod) {
  v1::RunPodRequest request;
  *request.mutable_config() = config;
  v1::RunPodResponse response;
  return TakePod(Call(*pods, &v1::PodService::Stub::RunPod, request, &response), response, pod);
}

ApiError ApiClient::StartPod(const std::string& pod_id) {
  v1::StartPodResponse response;
  return Call(*pods, &v1::PodService::Stub::StartPod, ForPod<v1::StartPodRequest>(pod_id), &response);
}

ApiError ApiClient::StopPod(const std::string& pod_id, bool force) {
  auto request = ForPod<v1::StopPodRequest>(pod_id);
  request.set_force(force);
  v1::StopPodResponse response;
  return Call(*pods, &v1::PodService::Stub::StopPod, request, &response);
}

ApiError ApiClient::PausePod(const std::string& pod_id) {
  v1::PausePodResponse response;
  return Call(*pods, &v1::PodService::Stub::PausePod, ForPod<v1::PausePodRequest>(pod_id), &response);
}

ApiError ApiClient::ResumePod(const std::string& pod_id) {
  v1::ResumePodResponse response;
  return Call(*pods, &v1::PodService::Stub::ResumePod, ForPod<v1::ResumePodRequest>(pod_id), &response);
}

ApiError ApiClient::DeletePod(const std::string& pod_id, bool force) {
  auto request = ForPod<v1::DeletePodRequest>(pod_id);
  request.set_force(force);
  v1::DeletePodResponse response;
  return Call(*pods, &v1::PodService::Stub::DeletePod, request, &response);
}

ApiError ApiClient::GetPod(const std::string& pod_id, v1::Pod* pod) {
  v1::GetPodResponse response;
  return TakePod(Call(*pods, &v1::PodService::Stub::GetPod, ForPod<v1::GetPodRequest>(pod_id), &response), response,
                 pod);
}

ApiError ApiClient::ListPods(const v1::ListPodsRequest& request, v1::ListPodsResponse* response) {
  return Call(*pods, &v1::PodService::Stub::ListPods, request, response);
}

v1::PodConfig PodNamed(const std::string& pod_id, const std::string& container_id) {
  v1::PodConfig config;
  config.set_id(pod_id);
  config.add_containers()->set_id(container_id);
  return config;
}

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "test/benchmark/vcd_client.h"

#include "test/benchmark/channel.h"

namespace vcd {
namespace {

v1::PodConfig ConfigOf(const std::string& id) {
  v1::PodConfig config;
  config.set_id(id);
  (*config.mutable_annotations())["org.example.owner"] = "benchmark";
  v1::ContainerConfig& container = *config.add_containers();
  container.set_id("main");
  container.mutable_cmd()->add_args("/bin/sleep");
  container.mutable_cmd()->add_args("infinity");
  return config;
}

}  // namespace

VcdClient::VcdClient(const std::string& address)
    : channel_(ConnectTo(address)),
      pods_(v1::PodService::NewStub(channel_)),
      health_(grpc::health::v1::Health::NewStub(channel_)) {}

void VcdClient::Create(const std::string& id) const {
  grpc::ClientContext context;
  v1::CreatePodRequest request;
  v1::CreatePodResponse response;
  *request.mutable_config() = ConfigOf(id);
  RequireOk(pods_->CreatePod(&context, request, &response), "CreatePod", id);
}

void VcdClient::Run(const std::string& id) const {
  grpc::ClientContext context;
  v1::RunPodRequest request;
  v1::RunPodResponse response;
  *request.mutable_config() = ConfigOf(id);
  RequireOk(pods_->RunPod(&context, request, &response), "RunPod", id);
}

void VcdClient::Start(const std::string& id) const {
  grpc::ClientContext context;
  v1::StartPodRequest request;
  v1::StartPodResponse response;
  request.set_pod_id(id);
  RequireOk(pods_->StartPod(&context, request, &response), "StartPod", id);
}

void VcdClient::Stop(const std::string& id) const {
  grpc::ClientContext context;
  v1::StopPodRequest request;
  v1::StopPodResponse response;
  request.set_pod_id(id);
  RequireOk(pods_->StopPod(&context, request, &response), "StopPod", id);
}

void VcdClient::Delete(const std::string& id) const {
  grpc::ClientContext context;
  v1::DeletePodRequest request;
  v1::DeletePodResponse response;
  request.set_pod_id(id);
  request.set_force(true);
  RequireOk(pods_->DeletePod(&context, request, &response), "DeletePod", id);
}

void VcdClient::Get(const std::string& id) const {
  grpc::ClientContext context;
  v1::GetPodRequest request;
  v1::GetPodResponse response;
  request.set_pod_id(id);
  RequireOk(pods_->GetPod(&context, request, &response), "GetPod", id);
}

void VcdClient::Annotate(const std::string& id, const std::string& value) const {
  grpc::ClientContext context;
  v1::UpdatePodAnnotationsRequest request;
  v1::UpdatePodAnnotationsResponse response;
  request.set_pod_id(id);
  (*request.mutable_annotations())["org.example.note"] = value;
  RequireOk(pods_->UpdatePodAnnotations(&context, request, &response), "UpdatePodAnnotations", id);
}

int VcdClient::List() const {
  int count = 0;
  v1::ListPodsRequest request;
  do {
    grpc::ClientContext context;
    v1::ListPodsResponse response;
    RequireOk(pods_->ListPods(&context, request, &response), "ListPods", "");
    count += response.pods_size();
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return count;
}

void VcdClient::CheckHealth() const {
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  grpc::health::v1::HealthCheckRequest request;
  grpc::health::v1::HealthCheckResponse response;
  RequireOk(health_->Check(&context, request, &response), "Health.Check", "");
}

void VcdClient::AwaitLock(const std::string& id) const {
  grpc::ClientContext context;
  v1::ResumePodRequest request;
  v1::ResumePodResponse response;
  request.set_pod_id(id);
  const grpc::Status status = pods_->ResumePod(&context, request, &response);
  if (status.error_code() != grpc::StatusCode::FAILED_PRECONDITION) RequireOk(status, "ResumePod", id);
}

}  // namespace vcd

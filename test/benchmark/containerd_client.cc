// SPDX-License-Identifier: Apache-2.0
#include "test/benchmark/containerd_client.h"

#include "test/benchmark/channel.h"

namespace vcd {
namespace {

namespace containers = ::containerd::services::containers::v1;

constexpr char kSpec[] =
    R"({"ociVersion":"1.0.2","process":{"args":["/bin/sleep","infinity"]},"annotations":{"org.example.owner":"benchmark"}})";

void AddNamespace(grpc::ClientContext& context) { context.AddMetadata("containerd-namespace", "benchmark"); }

}  // namespace

ContainerdClient::ContainerdClient(const std::string& address)
    : containers_(containers::Containers::NewStub(ConnectTo(address))) {}

void ContainerdClient::Create(const std::string& id) const {
  grpc::ClientContext context;
  AddNamespace(context);
  context.set_wait_for_ready(true);
  containers::CreateContainerRequest request;
  containers::CreateContainerResponse response;
  containers::Container& container = *request.mutable_container();
  container.set_id(id);
  container.mutable_runtime()->set_name("io.containerd.runc.v2");
  container.mutable_spec()->set_type_url("types.containerd.io/opencontainers/runtime-spec/1/Spec");
  container.mutable_spec()->set_value(kSpec);
  RequireOk(containers_->Create(&context, request, &response), "Containers.Create", id);
}

void ContainerdClient::Get(const std::string& id) const {
  grpc::ClientContext context;
  AddNamespace(context);
  containers::GetContainerRequest request;
  containers::GetContainerResponse response;
  request.set_id(id);
  RequireOk(containers_->Get(&context, request, &response), "Containers.Get", id);
}

int ContainerdClient::List() const {
  grpc::ClientContext context;
  AddNamespace(context);
  containers::ListContainersResponse response;
  RequireOk(containers_->List(&context, {}, &response), "Containers.List", "");
  return response.containers_size();
}

void ContainerdClient::Delete(const std::string& id) const {
  grpc::ClientContext context;
  AddNamespace(context);
  containers::DeleteContainerRequest request;
  google::protobuf::Empty response;
  request.set_id(id);
  RequireOk(containers_->Delete(&context, request, &response), "Containers.Delete", id);
}

}  // namespace vcd

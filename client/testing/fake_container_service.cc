// SPDX-License-Identifier: Apache-2.0
#include "client/testing/fake_container_service.h"

#include <mutex>
#include <string>

namespace vcd::client {

grpc::Status FakeContainerService::CreateContainer(grpc::ServerContext* context,
                                                   const v1::CreateContainerRequest* request,
                                                   v1::CreateContainerResponse* response) {
  if (grpc::Status status = state_.Enter(context, "CreateContainer", *request); !status.ok()) return status;
  response->mutable_container()->set_id(request->config().id().empty() ? "generated" : request->config().id());
  return grpc::Status::OK;
}

grpc::Status FakeContainerService::StartContainer(grpc::ServerContext* context,
                                                  const v1::StartContainerRequest* request,
                                                  v1::StartContainerResponse*) {
  return state_.Enter(context, "StartContainer", *request);
}

grpc::Status FakeContainerService::StopContainer(grpc::ServerContext* context, const v1::StopContainerRequest* request,
                                                 v1::StopContainerResponse* response) {
  response->set_existed(state_.HasContainer(request->pod_id(), request->container_id()));
  return state_.Enter(context, "StopContainer", *request);
}

grpc::Status FakeContainerService::KillContainer(grpc::ServerContext* context, const v1::KillContainerRequest* request,
                                                 v1::KillContainerResponse*) {
  return state_.Enter(context, "KillContainer", *request);
}

grpc::Status FakeContainerService::DeleteContainer(grpc::ServerContext* context,
                                                   const v1::DeleteContainerRequest* request,
                                                   v1::DeleteContainerResponse* response) {
  response->set_existed(state_.HasContainer(request->pod_id(), request->container_id()));
  return state_.Enter(context, "DeleteContainer", *request);
}

grpc::Status FakeContainerService::UpdateContainer(grpc::ServerContext* context,
                                                   const v1::UpdateContainerRequest* request,
                                                   v1::UpdateContainerResponse*) {
  return state_.Enter(context, "UpdateContainer", *request);
}

grpc::Status FakeContainerService::ListContainers(grpc::ServerContext* context,
                                                  const v1::ListContainersRequest* request,
                                                  v1::ListContainersResponse* response) {
  if (grpc::Status status = state_.Enter(context, "ListContainers", *request); !status.ok()) return status;
  std::lock_guard<std::mutex> lock(state_.mutex);
  const auto found = state_.pods.find(request->pod_id());
  if (found == state_.pods.end()) return NoPod(request->pod_id());
  *response->mutable_containers() = found->second.containers();
  return grpc::Status::OK;
}

grpc::Status FakeContainerService::ListProcesses(grpc::ServerContext* context, const v1::ListProcessesRequest* request,
                                                 v1::ListProcessesResponse* response) {
  if (grpc::Status status = state_.Enter(context, "ListProcesses", *request); !status.ok()) return status;
  std::lock_guard<std::mutex> lock(state_.mutex);
  *response->mutable_processes() = {state_.processes.begin(), state_.processes.end()};
  return grpc::Status::OK;
}

grpc::Status FakeContainerService::ReadArchive(grpc::ServerContext* context, const v1::ReadArchiveRequest* request,
                                               grpc::ServerWriter<v1::ReadArchiveResponse>* writer) {
  if (grpc::Status status = state_.Enter(context, "ReadArchive", *request); !status.ok()) return status;
  std::string archive;
  {
    std::lock_guard<std::mutex> lock(state_.mutex);
    const auto found = state_.archives.find(request->path());
    if (found == state_.archives.end()) {
      return DaemonError(grpc::StatusCode::NOT_FOUND, "PATH_NOT_FOUND",
                         request->path() + ": No such file or directory");
    }
    archive = request->stat_only() ? found->second.substr(0, 512) + std::string(1024, '\0') : found->second;
  }
  for (size_t at = 0; at < archive.size(); at += 1000) {
    v1::ReadArchiveResponse response;
    response.set_data(archive.substr(at, 1000));
    if (!writer->Write(response)) break;
  }
  return grpc::Status::OK;
}

grpc::Status FakeContainerService::WriteArchive(grpc::ServerContext* context,
                                                grpc::ServerReader<v1::WriteArchiveRequest>* reader,
                                                v1::WriteArchiveResponse*) {
  v1::WriteArchiveRequest request;
  reader->Read(&request);
  if (grpc::Status status = state_.Enter(context, "WriteArchive", request.start()); !status.ok()) return status;
  std::string archive;
  while (reader->Read(&request)) archive += request.data();
  std::lock_guard<std::mutex> lock(state_.mutex);
  state_.written_archive = archive;
  return grpc::Status::OK;
}

}  // namespace vcd::client

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_TESTING_FAKE_CONTAINER_SERVICE_H_
#define VCD_CLIENT_TESTING_FAKE_CONTAINER_SERVICE_H_

#include "client/testing/fake_state.h"
#include "grpcpp/grpcpp.h"
#include "proto/vcd/v1/container_service.grpc.pb.h"

namespace vcd::client {

// Notes calls about containers; archives are those of the state. A part of FakeServer.
class FakeContainerService final : public v1::ContainerService::Service {
 public:
  // Borrows the state.
  explicit FakeContainerService(FakeState* state) : state_(*state) {}

  grpc::Status CreateContainer(grpc::ServerContext* context, const v1::CreateContainerRequest* request,
                               v1::CreateContainerResponse* response) override;
  grpc::Status StartContainer(grpc::ServerContext* context, const v1::StartContainerRequest* request,
                              v1::StartContainerResponse*) override;
  grpc::Status StopContainer(grpc::ServerContext* context, const v1::StopContainerRequest* request,
                             v1::StopContainerResponse* response) override;
  grpc::Status KillContainer(grpc::ServerContext* context, const v1::KillContainerRequest* request,
                             v1::KillContainerResponse*) override;
  grpc::Status DeleteContainer(grpc::ServerContext* context, const v1::DeleteContainerRequest* request,
                               v1::DeleteContainerResponse* response) override;
  grpc::Status UpdateContainer(grpc::ServerContext* context, const v1::UpdateContainerRequest* request,
                               v1::UpdateContainerResponse*) override;
  grpc::Status ListContainers(grpc::ServerContext* context, const v1::ListContainersRequest* request,
                              v1::ListContainersResponse* response) override;
  grpc::Status ListProcesses(grpc::ServerContext* context, const v1::ListProcessesRequest* request,
                             v1::ListProcessesResponse* response) override;
  grpc::Status ReadArchive(grpc::ServerContext* context, const v1::ReadArchiveRequest* request,
                           grpc::ServerWriter<v1::ReadArchiveResponse>* writer) override;
  grpc::Status WriteArchive(grpc::ServerContext* context, grpc::ServerReader<v1::WriteArchiveRequest>* reader,
                            v1::WriteArchiveResponse*) override;

 private:
  FakeState& state_;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_TESTING_FAKE_CONTAINER_SERVICE_H_

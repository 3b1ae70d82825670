// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_CONTAINER_SERVICE_H_
#define VCD_DAEMON_SERVICE_CONTAINER_SERVICE_H_

#include "core/pod/pod_runtime.h"
#include "proto/vcd/v1/container_service.grpc.pb.h"

namespace vcd {

// vcd.v1.ContainerService over a PodRuntime, which outlives it. Holds no thread while a call waits.
class ContainerService final : public v1::ContainerService::CallbackService {
 public:
  explicit ContainerService(PodRuntime& runtime) : runtime_(runtime) {}

  grpc::ServerUnaryReactor* CreateContainer(grpc::CallbackServerContext* context,
                                            const v1::CreateContainerRequest* request,
                                            v1::CreateContainerResponse* response) override;
  grpc::ServerUnaryReactor* StartContainer(grpc::CallbackServerContext* context,
                                           const v1::StartContainerRequest* request,
                                           v1::StartContainerResponse* response) override;
  grpc::ServerUnaryReactor* StopContainer(grpc::CallbackServerContext* context, const v1::StopContainerRequest* request,
                                          v1::StopContainerResponse* response) override;
  grpc::ServerUnaryReactor* KillContainer(grpc::CallbackServerContext* context, const v1::KillContainerRequest* request,
                                          v1::KillContainerResponse* response) override;
  grpc::ServerUnaryReactor* DeleteContainer(grpc::CallbackServerContext* context,
                                            const v1::DeleteContainerRequest* request,
                                            v1::DeleteContainerResponse* response) override;
  grpc::ServerUnaryReactor* GetContainer(grpc::CallbackServerContext* context, const v1::GetContainerRequest* request,
                                         v1::GetContainerResponse* response) override;
  grpc::ServerUnaryReactor* ListContainers(grpc::CallbackServerContext* context,
                                           const v1::ListContainersRequest* request,
                                           v1::ListContainersResponse* response) override;
  grpc::ServerWriteReactor<v1::ReadArchiveResponse>* ReadArchive(grpc::CallbackServerContext* context,
                                                                 const v1::ReadArchiveRequest* request) override;
  grpc::ServerReadReactor<v1::WriteArchiveRequest>* WriteArchive(grpc::CallbackServerContext* context,
                                                                 v1::WriteArchiveResponse* response) override;

  // Declared, and not there yet: kUnimplemented.
  grpc::ServerUnaryReactor* UpdateContainer(grpc::CallbackServerContext* context,
                                            const v1::UpdateContainerRequest* request,
                                            v1::UpdateContainerResponse* response) override;
  grpc::ServerUnaryReactor* ListProcesses(grpc::CallbackServerContext* context, const v1::ListProcessesRequest* request,
                                          v1::ListProcessesResponse* response) override;
  grpc::ServerUnaryReactor* GetContainerStats(grpc::CallbackServerContext* context,
                                              const v1::GetContainerStatsRequest* request,
                                              v1::GetContainerStatsResponse* response) override;

 private:
  PodRuntime& runtime_;
};

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_CONTAINER_SERVICE_H_

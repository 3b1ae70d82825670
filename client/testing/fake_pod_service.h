// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_TESTING_FAKE_POD_SERVICE_H_
#define VCD_CLIENT_TESTING_FAKE_POD_SERVICE_H_

#include <string>

#include "client/testing/fake_state.h"
#include "grpcpp/grpcpp.h"
#include "proto/vcd/v1/pod_service.grpc.pb.h"

namespace vcd::client {

// Keeps the pods of the state and moves them. A part of FakeServer.
class FakePodService final : public v1::PodService::Service {
 public:
  // Borrows the state.
  explicit FakePodService(FakeState* state) : state_(*state) {}

  grpc::Status CreatePod(grpc::ServerContext* context, const v1::CreatePodRequest* request,
                         v1::CreatePodResponse* response) override;
  grpc::Status RunPod(grpc::ServerContext* context, const v1::RunPodRequest* request,
                      v1::RunPodResponse* response) override;
  grpc::Status StartPod(grpc::ServerContext* context, const v1::StartPodRequest* request,
                        v1::StartPodResponse* response) override;
  grpc::Status StopPod(grpc::ServerContext* context, const v1::StopPodRequest* request,
                       v1::StopPodResponse* response) override;
  grpc::Status PausePod(grpc::ServerContext* context, const v1::PausePodRequest* request,
                        v1::PausePodResponse* response) override;
  grpc::Status ResumePod(grpc::ServerContext* context, const v1::ResumePodRequest* request,
                         v1::ResumePodResponse* response) override;
  grpc::Status DeletePod(grpc::ServerContext* context, const v1::DeletePodRequest* request,
                         v1::DeletePodResponse* response) override;
  grpc::Status GetPod(grpc::ServerContext* context, const v1::GetPodRequest* request,
                      v1::GetPodResponse* response) override;
  grpc::Status ListPods(grpc::ServerContext* context, const v1::ListPodsRequest* request,
                        v1::ListPodsResponse* response) override;
  grpc::Status GetPodAnnotation(grpc::ServerContext* context, const v1::GetPodAnnotationRequest* request,
                                v1::GetPodAnnotationResponse* response) override;
  grpc::Status CheckpointPod(grpc::ServerContext* context, const v1::CheckpointPodRequest* request,
                             v1::CheckpointPodResponse* response) override;
  grpc::Status RestorePod(grpc::ServerContext* context, const v1::RestorePodRequest* request,
                          v1::RestorePodResponse* response) override;
  grpc::Status UpdatePod(grpc::ServerContext* context, const v1::UpdatePodRequest* request,
                         v1::UpdatePodResponse*) override;
  grpc::Status UpdatePodAnnotations(grpc::ServerContext* context, const v1::UpdatePodAnnotationsRequest* request,
                                    v1::UpdatePodAnnotationsResponse*) override;
  grpc::Status AttachInterface(grpc::ServerContext* context, const v1::AttachInterfaceRequest* request,
                               v1::AttachInterfaceResponse* response) override;
  grpc::Status DetachInterface(grpc::ServerContext* context, const v1::DetachInterfaceRequest* request,
                               v1::DetachInterfaceResponse* response) override;
  grpc::Status GetPodStats(grpc::ServerContext* context, const v1::GetPodStatsRequest* request,
                           v1::GetPodStatsResponse* response) override;
  grpc::Status ReadConsole(grpc::ServerContext* context, const v1::ReadConsoleRequest* request,
                           grpc::ServerWriter<v1::ReadConsoleResponse>* writer) override;

 private:
  template <typename Request>
  grpc::Status Create(grpc::ServerContext* context, const std::string& method, const Request& request,
                      v1::PodState state, v1::Pod* answer);
  template <typename Request>
  grpc::Status Move(grpc::ServerContext* context, const std::string& method, const Request& request, v1::PodState state,
                    v1::Pod* answer);

  FakeState& state_;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_TESTING_FAKE_POD_SERVICE_H_

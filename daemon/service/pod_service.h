// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_POD_SERVICE_H_
#define VCD_DAEMON_SERVICE_POD_SERVICE_H_

#include "core/pod/pod_runtime.h"

// Of what gRPC makes, a method that takes bytes hides the one that takes messages, which nobody calls.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverloaded-virtual"
#include "proto/vcd/v1/pod_service.grpc.pb.h"
#pragma GCC diagnostic pop

namespace vcd {

// vcd.v1.PodService over a PodRuntime, which outlives it. Holds no thread while a call waits.
// Pods that are read are sent as the bytes that their snapshots are.
class PodService final : public v1::PodService::WithRawCallbackMethod_GetPod<
                             v1::PodService::WithRawCallbackMethod_ListPods<v1::PodService::CallbackService>> {
 public:
  explicit PodService(PodRuntime& runtime) : runtime_(runtime) {}

  grpc::ServerUnaryReactor* CreatePod(grpc::CallbackServerContext* context, const v1::CreatePodRequest* request,
                                      v1::CreatePodResponse* response) override;
  grpc::ServerUnaryReactor* StartPod(grpc::CallbackServerContext* context, const v1::StartPodRequest* request,
                                     v1::StartPodResponse* response) override;
  grpc::ServerUnaryReactor* RunPod(grpc::CallbackServerContext* context, const v1::RunPodRequest* request,
                                   v1::RunPodResponse* response) override;
  grpc::ServerUnaryReactor* StopPod(grpc::CallbackServerContext* context, const v1::StopPodRequest* request,
                                    v1::StopPodResponse* response) override;
  grpc::ServerUnaryReactor* PausePod(grpc::CallbackServerContext* context, const v1::PausePodRequest* request,
                                     v1::PausePodResponse* response) override;
  grpc::ServerUnaryReactor* ResumePod(grpc::CallbackServerContext* context, const v1::ResumePodRequest* request,
                                      v1::ResumePodResponse* response) override;
  grpc::ServerUnaryReactor* DeletePod(grpc::CallbackServerContext* context, const v1::DeletePodRequest* request,
                                      v1::DeletePodResponse* response) override;
  grpc::ServerUnaryReactor* GetPod(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                   grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListPods(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetPodAnnotation(grpc::CallbackServerContext* context,
                                             const v1::GetPodAnnotationRequest* request,
                                             v1::GetPodAnnotationResponse* response) override;
  grpc::ServerUnaryReactor* UpdatePod(grpc::CallbackServerContext* context, const v1::UpdatePodRequest* request,
                                      v1::UpdatePodResponse* response) override;
  grpc::ServerUnaryReactor* UpdatePodAnnotations(grpc::CallbackServerContext* context,
                                                 const v1::UpdatePodAnnotationsRequest* request,
                                                 v1::UpdatePodAnnotationsResponse* response) override;
  grpc::ServerUnaryReactor* AttachInterface(grpc::CallbackServerContext* context,
                                            const v1::AttachInterfaceRequest* request,
                                            v1::AttachInterfaceResponse* response) override;
  grpc::ServerUnaryReactor* DetachInterface(grpc::CallbackServerContext* context,
                                            const v1::DetachInterfaceRequest* request,
                                            v1::DetachInterfaceResponse* response) override;
  grpc::ServerUnaryReactor* CheckpointPod(grpc::CallbackServerContext* context, const v1::CheckpointPodRequest* request,
                                          v1::CheckpointPodResponse* response) override;
  grpc::ServerUnaryReactor* RestorePod(grpc::CallbackServerContext* context, const v1::RestorePodRequest* request,
                                       v1::RestorePodResponse* response) override;
  grpc::ServerUnaryReactor* GetPodStats(grpc::CallbackServerContext* context, const v1::GetPodStatsRequest* request,
                                        v1::GetPodStatsResponse* response) override;
  grpc::ServerWriteReactor<v1::ReadConsoleResponse>* ReadConsole(grpc::CallbackServerContext* context,
                                                                 const v1::ReadConsoleRequest* request) override;

 private:
  PodRuntime& runtime_;
};

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_POD_SERVICE_H_

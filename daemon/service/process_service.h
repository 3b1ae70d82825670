// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_PROCESS_SERVICE_H_
#define VCD_DAEMON_SERVICE_PROCESS_SERVICE_H_

#include "core/pod/pod_runtime.h"
#include "proto/vcd/v1/process_service.grpc.pb.h"

namespace vcd {

// vcd.v1.ProcessService over a PodRuntime, which outlives it. Holds no thread while a call waits.
class ProcessService final : public v1::ProcessService::CallbackService {
 public:
  explicit ProcessService(PodRuntime& runtime) : runtime_(runtime) {}

  grpc::ServerUnaryReactor* Exec(grpc::CallbackServerContext* context, const v1::ExecRequest* request,
                                 v1::ExecResponse* response) override;
  grpc::ServerUnaryReactor* ListExecs(grpc::CallbackServerContext* context, const v1::ListExecsRequest* request,
                                      v1::ListExecsResponse* response) override;
  grpc::ServerBidiReactor<v1::AttachRequest, v1::AttachResponse>* Attach(grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* Wait(grpc::CallbackServerContext* context, const v1::WaitRequest* request,
                                 v1::WaitResponse* response) override;
  grpc::ServerUnaryReactor* Signal(grpc::CallbackServerContext* context, const v1::SignalRequest* request,
                                   v1::SignalResponse* response) override;
  grpc::ServerUnaryReactor* CloseStdin(grpc::CallbackServerContext* context, const v1::CloseStdinRequest* request,
                                       v1::CloseStdinResponse* response) override;
  grpc::ServerWriteReactor<v1::ReadLogsResponse>* ReadLogs(grpc::CallbackServerContext* context,
                                                           const v1::ReadLogsRequest* request) override;
  grpc::ServerBidiReactor<v1::PortForwardRequest, v1::PortForwardResponse>* PortForward(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* ResizeTerminal(grpc::CallbackServerContext* context,
                                           const v1::ResizeTerminalRequest* request,
                                           v1::ResizeTerminalResponse* response) override;

 private:
  PodRuntime& runtime_;
};

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_PROCESS_SERVICE_H_

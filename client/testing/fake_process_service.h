// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_TESTING_FAKE_PROCESS_SERVICE_H_
#define VCD_CLIENT_TESTING_FAKE_PROCESS_SERVICE_H_

#include "client/testing/fake_state.h"
#include "grpcpp/grpcpp.h"
#include "proto/vcd/v1/process_service.grpc.pb.h"

namespace vcd::client {

// Plays the one process of the state. A part of FakeServer.
class FakeProcessService final : public v1::ProcessService::Service {
 public:
  // Borrows the state.
  explicit FakeProcessService(FakeState* state) : state_(*state) {}

  grpc::Status Exec(grpc::ServerContext* context, const v1::ExecRequest* request, v1::ExecResponse* response) override;
  grpc::Status ListExecs(grpc::ServerContext* context, const v1::ListExecsRequest* request,
                         v1::ListExecsResponse* response) override;
  grpc::Status Attach(grpc::ServerContext* context,
                      grpc::ServerReaderWriter<v1::AttachResponse, v1::AttachRequest>* stream) override;
  // What is said comes back, and after the end of it `closed`. CONNECTION_REFUSED for port 81.
  grpc::Status PortForward(grpc::ServerContext* context,
                           grpc::ServerReaderWriter<v1::PortForwardResponse, v1::PortForwardRequest>* stream) override;
  grpc::Status Wait(grpc::ServerContext* context, const v1::WaitRequest* request, v1::WaitResponse* response) override;
  grpc::Status Signal(grpc::ServerContext* context, const v1::SignalRequest* request, v1::SignalResponse*) override;
  grpc::Status ResizeTerminal(grpc::ServerContext* context, const v1::ResizeTerminalRequest* request,
                              v1::ResizeTerminalResponse*) override;
  grpc::Status ReadLogs(grpc::ServerContext* context, const v1::ReadLogsRequest* request,
                        grpc::ServerWriter<v1::ReadLogsResponse>* writer) override;

 private:
  // False when the client went before it closed its input.
  bool Echo(grpc::ServerReaderWriter<v1::AttachResponse, v1::AttachRequest>* stream);

  FakeState& state_;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_TESTING_FAKE_PROCESS_SERVICE_H_

// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/process_service.h"

#include <utility>

#include "core/model/process_validation.h"
#include "daemon/service/attach_call.h"
#include "daemon/service/log_stream.h"
#include "daemon/service/mutation.h"
#include "daemon/service/port_forward_call.h"
#include "daemon/service/request_check.h"
#include "daemon/service/unary_call.h"
#include "daemon/service/wait_call.h"

namespace vcd {

grpc::ServerUnaryReactor* ProcessService::Exec(grpc::CallbackServerContext* context, const v1::ExecRequest* request,
                                               v1::ExecResponse* response) {
  const UnaryCall call(context, "Exec", CallKind::kMutation, request->pod_id());
  const absl::Status status = CheckContainerIds(request->pod_id(), request->container_id());
  if (!status.ok()) return call.FinishNow(status);
  runtime_.Exec(request->pod_id(), request->container_id(), request->cmd(), OptionsOf(call, *request),
                [call, response](absl::StatusOr<ExecResult> result) {
                  if (result.ok()) {
                    response->set_process_id(result->process_id);
                    response->set_guest_pid(result->guest_pid);
                  }
                  call.Finish(result.status());
                });
  return call.reactor();
}

grpc::ServerUnaryReactor* ProcessService::ListExecs(grpc::CallbackServerContext* context,
                                                    const v1::ListExecsRequest* request,
                                                    v1::ListExecsResponse* response) {
  const UnaryCall call(context, "ListExecs", CallKind::kRead, request->pod_id());
  absl::Status status = CheckId("pod_id", request->pod_id());
  if (status.ok()) status = CheckOptionalId("container_id", request->container_id());
  if (!status.ok()) return call.FinishNow(status);
  absl::StatusOr<std::vector<v1::ExecInfo>> execs = runtime_.ListExecs(request->pod_id(), request->container_id());
  if (execs.ok()) response->mutable_execs()->Assign(execs->begin(), execs->end());
  return call.FinishNow(execs.status());
}

grpc::ServerBidiReactor<v1::AttachRequest, v1::AttachResponse>* ProcessService::Attach(
    grpc::CallbackServerContext* context) {
  return StartAttachCall(runtime_, DeadlineOf(*context));
}

grpc::ServerUnaryReactor* ProcessService::Wait(grpc::CallbackServerContext* context, const v1::WaitRequest* request,
                                               v1::WaitResponse* response) {
  return StartWaitCall(runtime_, *request, *response, DeadlineOf(*context));
}

grpc::ServerUnaryReactor* ProcessService::Signal(grpc::CallbackServerContext* context, const v1::SignalRequest* request,
                                                 v1::SignalResponse*) {
  const UnaryCall call(context, "Signal", CallKind::kMutation, request->pod_id());
  absl::Status status = CheckProcessIds(request->pod_id(), request->container_id(), request->process_id());
  if (status.ok()) status = CheckSignal(request->signal());
  if (!status.ok()) return call.FinishNow(status);
  runtime_.Signal(request->pod_id(), ProcessKey{request->container_id(), request->process_id()}, request->signal(),
                  /*all=*/false, OptionsOf(call, *request), [call](absl::Status done) { call.Finish(done); });
  return call.reactor();
}

grpc::ServerUnaryReactor* ProcessService::CloseStdin(grpc::CallbackServerContext* context,
                                                     const v1::CloseStdinRequest* request, v1::CloseStdinResponse*) {
  const UnaryCall call(context, "CloseStdin", CallKind::kMutation, request->pod_id());
  const absl::Status status = CheckProcessIds(request->pod_id(), request->container_id(), request->process_id());
  if (!status.ok()) return call.FinishNow(status);
  runtime_.CloseInput(request->pod_id(), ProcessKey{request->container_id(), request->process_id()}, call.deadline(),
                      [call](absl::Status done) { call.Finish(done); });
  return call.reactor();
}

grpc::ServerWriteReactor<v1::ReadLogsResponse>* ProcessService::ReadLogs(grpc::CallbackServerContext*,
                                                                         const v1::ReadLogsRequest* request) {
  return StartLogStream(runtime_, *request);
}

grpc::ServerBidiReactor<v1::PortForwardRequest, v1::PortForwardResponse>* ProcessService::PortForward(
    grpc::CallbackServerContext* context) {
  return StartPortForwardCall(runtime_, context);
}

grpc::ServerUnaryReactor* ProcessService::ResizeTerminal(grpc::CallbackServerContext* context,
                                                         const v1::ResizeTerminalRequest* request,
                                                         v1::ResizeTerminalResponse*) {
  const UnaryCall call(context, "ResizeTerminal", CallKind::kMutation, request->pod_id());
  v1::TerminalSize size;
  size.set_columns(request->columns());
  size.set_rows(request->rows());
  absl::Status status = CheckProcessIds(request->pod_id(), request->container_id(), request->process_id());
  if (status.ok()) status = CheckTerminalSize("columns, rows", size);
  if (!status.ok()) return call.FinishNow(status);
  runtime_.ResizeTerminal(request->pod_id(), ProcessKey{request->container_id(), request->process_id()}, size,
                          OptionsOf(call, *request), [call](absl::Status done) { call.Finish(done); });
  return call.reactor();
}

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "client/testing/fake_process_service.h"

#include <mutex>
#include <vector>

namespace vcd::client {

grpc::Status FakeProcessService::Exec(grpc::ServerContext* context, const v1::ExecRequest* request,
                                      v1::ExecResponse* response) {
  if (grpc::Status status = state_.Enter(context, "Exec", *request); !status.ok()) return status;
  std::lock_guard<std::mutex> lock(state_.mutex);
  state_.last_exec = *request;
  response->set_process_id("exec-1");
  response->set_guest_pid(42);
  return grpc::Status::OK;
}

grpc::Status FakeProcessService::ListExecs(grpc::ServerContext* context, const v1::ListExecsRequest* request,
                                           v1::ListExecsResponse* response) {
  if (grpc::Status status = state_.Enter(context, "ListExecs", *request); !status.ok()) return status;
  std::lock_guard<std::mutex> lock(state_.mutex);
  *response->mutable_execs() = {state_.execs.begin(), state_.execs.end()};
  return grpc::Status::OK;
}

grpc::Status FakeProcessService::Attach(grpc::ServerContext* context,
                                        grpc::ServerReaderWriter<v1::AttachResponse, v1::AttachRequest>* stream) {
  v1::AttachRequest request;
  if (!stream->Read(&request)) return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no start");
  const v1::AttachRequest::Start start = request.start();
  if (grpc::Status status = state_.Enter(context, "Attach", start); !status.ok()) return status;
  v1::AttachResponse response;
  response.set_attached(true);
  stream->Write(response);
  const FakeProcess process = state_.process_now();
  const auto runs = [this, &start] {
    const auto pod = state_.pods.find(start.pod_id());
    return !start.process_id().empty() || (pod != state_.pods.end() && pod->second.state() == v1::POD_STATE_RUNNING);
  };
  if (!state_.Until(context, start.pod_id(), runs)) return Aborted();
  for (const auto& [kind, bytes] : process.output) {
    if (kind == v1::OUTPUT_STREAM_STDERR) {
      response.set_stderr(bytes);
    } else {
      response.set_stdout(bytes);
    }
    if (!stream->Write(response)) return Aborted();
  }
  if (process.echoes_stdin && !Echo(stream)) return Aborted();
  v1::ExitStatus exit_status = process.exit_status;
  if (process.waits_for_signal) {
    const auto signalled = [this, &process] { return state_.signal != 0 && !process.ignores_signals; };
    if (!state_.Until(context, start.pod_id(), signalled)) return Aborted();
    std::lock_guard<std::mutex> lock(state_.mutex);
    exit_status.set_signal(state_.signal);
    exit_status.set_code(128 + state_.signal);
  }
  *response.mutable_exit_status() = exit_status;
  stream->Write(response);
  return grpc::Status::OK;
}

grpc::Status FakeProcessService::PortForward(
    grpc::ServerContext* context, grpc::ServerReaderWriter<v1::PortForwardResponse, v1::PortForwardRequest>* stream) {
  v1::PortForwardRequest request;
  if (!stream->Read(&request)) return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no start");
  if (grpc::Status status = state_.Enter(context, "PortForward", request.start()); !status.ok()) return status;
  if (request.start().port() == 81) {
    return DaemonError(grpc::StatusCode::UNAVAILABLE, "CONNECTION_REFUSED", "port 81: Connection refused");
  }
  v1::PortForwardResponse response;
  response.set_connected(true);
  stream->Write(response);
  while (stream->Read(&request) && !request.close()) {
    response.set_data(request.data());
    if (!stream->Write(response)) return Aborted();
  }
  response.set_closed(true);
  stream->Write(response);
  return grpc::Status::OK;
}

grpc::Status FakeProcessService::Wait(grpc::ServerContext* context, const v1::WaitRequest* request,
                                      v1::WaitResponse* response) {
  if (grpc::Status status = state_.Enter(context, "Wait", *request); !status.ok()) return status;
  *response->mutable_exit_status() = state_.process_now().exit_status;
  return grpc::Status::OK;
}

grpc::Status FakeProcessService::Signal(grpc::ServerContext* context, const v1::SignalRequest* request,
                                        v1::SignalResponse*) {
  if (grpc::Status status = state_.Enter(context, "Signal", *request); !status.ok()) return status;
  std::lock_guard<std::mutex> lock(state_.mutex);
  state_.signal = request->signal();
  state_.changed.notify_all();
  return grpc::Status::OK;
}

grpc::Status FakeProcessService::ResizeTerminal(grpc::ServerContext* context, const v1::ResizeTerminalRequest* request,
                                                v1::ResizeTerminalResponse*) {
  return state_.Enter(context, "ResizeTerminal", *request);
}

grpc::Status FakeProcessService::ReadLogs(grpc::ServerContext* context, const v1::ReadLogsRequest* request,
                                          grpc::ServerWriter<v1::ReadLogsResponse>* writer) {
  if (grpc::Status status = state_.Enter(context, "ReadLogs", *request); !status.ok()) return status;
  std::vector<v1::ReadLogsResponse> logs;
  {
    std::lock_guard<std::mutex> lock(state_.mutex);
    logs = state_.logs;
  }
  for (const auto& log : logs) {
    if (!writer->Write(log)) break;
  }
  return grpc::Status::OK;
}

bool FakeProcessService::Echo(grpc::ServerReaderWriter<v1::AttachResponse, v1::AttachRequest>* stream) {
  v1::AttachRequest request;
  while (stream->Read(&request)) {
    if (request.has_close_stdin()) {
      std::lock_guard<std::mutex> lock(state_.mutex);
      state_.stdin_closed = true;
      return true;
    }
    v1::AttachResponse response;
    response.set_stdout(request.stdin());
    {
      std::lock_guard<std::mutex> lock(state_.mutex);
      state_.stdin_bytes += request.stdin();
    }
    if (!stream->Write(response)) return false;
  }
  return false;
}

}  // namespace vcd::client

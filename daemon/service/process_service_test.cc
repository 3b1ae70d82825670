// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/process_service.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "daemon/service/testing/fake_pod_runtime.h"
#include "daemon/service/testing/socket_server.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ProcessServiceTest : public testing::Test {
 protected:
  static v1::WaitRequest WaitFor(const std::string& process_id) {
    v1::WaitRequest request;
    request.set_pod_id("web");
    request.set_container_id("main");
    request.set_process_id(process_id);
    return request;
  }

  FakePodRuntime runtime_;
  ProcessService service_{runtime_};
  SocketServer server_{service_};
  const std::unique_ptr<v1::ProcessService::Stub> stub_ = v1::ProcessService::NewStub(server_.NewChannel());
};

TEST_F(ProcessServiceTest, ResizeTerminalIsPassedOn) {
  grpc::ClientContext context;
  v1::ResizeTerminalRequest request;
  request.set_pod_id("web");
  request.set_container_id("main");
  request.set_process_id("p1");
  request.set_columns(80);
  request.set_rows(24);
  v1::ResizeTerminalResponse response;
  EXPECT_TRUE(stub_->ResizeTerminal(&context, request, &response).ok());
  EXPECT_THAT(runtime_.calls(), ElementsAre("ResizeTerminal web main:p1 80x24"));
  grpc::ClientContext again;
  request.set_rows(70000);
  EXPECT_EQ(stub_->ResizeTerminal(&again, request, &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ProcessServiceTest, ExecsAreListed) {
  v1::ListExecsRequest request;
  request.set_pod_id("web");
  request.set_container_id("main");
  v1::ListExecsResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->ListExecs(&context, request, &response).ok());
  ASSERT_EQ(response.execs_size(), 2);
  EXPECT_EQ(response.execs(0).container_id(), "main");
  EXPECT_FALSE(response.execs(0).has_exit_status());
  EXPECT_EQ(response.execs(1).exit_status().code(), 3);
  request.set_container_id("no/id");
  grpc::ClientContext again;
  EXPECT_EQ(stub_->ListExecs(&again, request, &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ProcessServiceTest, WaitAnswersWhenTheProcessEnds) {
  v1::WaitResponse response;
  std::thread exits([this] {
    runtime_.AwaitWaits(1);
    runtime_.Exit(5);
  });
  grpc::ClientContext context;
  const grpc::Status status = stub_->Wait(&context, WaitFor(""), &response);
  exits.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.exit_status().code(), 5);
  runtime_.AwaitWaits(0);

  grpc::ClientContext again;
  EXPECT_TRUE(stub_->Wait(&again, WaitFor(""), &response).ok());
  EXPECT_EQ(response.exit_status().code(), 5);
}

TEST_F(ProcessServiceTest, WaitBeginsWhenTheProcessIsKnown) {
  runtime_.BeginRecovery();
  std::thread exits([this] {
    runtime_.AwaitRecoveryWaits(1);
    EXPECT_THAT(runtime_.calls(), IsEmpty());
    runtime_.EndRecovery();
    runtime_.AwaitWaits(1);
    runtime_.Exit(5);
  });
  v1::WaitResponse response;
  grpc::ClientContext context;
  const grpc::Status status = stub_->Wait(&context, WaitFor(""), &response);
  exits.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.exit_status().code(), 5);
}

TEST_F(ProcessServiceTest, WaitBearsAProcessThatIsKnownTooLate) {
  runtime_.BeginRecovery();
  v1::WaitResponse response;
  grpc::ClientContext context;
  std::thread cancels([&] {
    runtime_.AwaitRecoveryWaits(1);
    context.TryCancel();
  });
  EXPECT_EQ(stub_->Wait(&context, WaitFor(""), &response).error_code(), grpc::StatusCode::CANCELLED);
  cancels.join();
  runtime_.EndRecovery();
  runtime_.AwaitWaits(0);
  // One that is never known.
  runtime_.BeginRecovery();
  std::thread ends([&] {
    runtime_.AwaitRecoveryWaits(1);
    runtime_.EndRecovery(absl::AbortedError("forced"));
  });
  grpc::ClientContext again;
  EXPECT_EQ(stub_->Wait(&again, WaitFor(""), &response).error_code(), grpc::StatusCode::ABORTED);
  ends.join();
}

TEST_F(ProcessServiceTest, WaitEndsWithTheClientsDeadline) {
  v1::WaitResponse response;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
  EXPECT_EQ(stub_->Wait(&context, WaitFor(""), &response).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  runtime_.AwaitWaits(0);
}

TEST_F(ProcessServiceTest, WaitForNothingSaysSo) {
  v1::WaitResponse response;
  grpc::ClientContext context;
  EXPECT_EQ(stub_->Wait(&context, v1::WaitRequest(), &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  runtime_.SetAnswer(absl::NotFoundError("no"));
  grpc::ClientContext second;
  EXPECT_EQ(stub_->Wait(&second, WaitFor("x"), &response).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ProcessServiceTest, UnaryCallsReachTheRuntime) {
  v1::ExecRequest exec;
  exec.set_pod_id("web");
  exec.set_container_id("main");
  exec.mutable_cmd()->add_args("ls");
  exec.mutable_cmd()->add_args("-l");
  v1::ExecResponse exec_response;
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->Exec(&context, exec, &exec_response).ok());
  EXPECT_EQ(exec_response.process_id(), "exec-1");
  EXPECT_EQ(exec_response.guest_pid(), 42);

  v1::SignalRequest signal;
  signal.set_pod_id("web");
  signal.set_container_id("main");
  signal.set_process_id("exec-1");
  signal.set_signal(15);
  v1::SignalResponse signal_response;
  grpc::ClientContext second;
  ASSERT_TRUE(stub_->Signal(&second, signal, &signal_response).ok());

  v1::CloseStdinRequest close;
  close.set_pod_id("web");
  close.set_container_id("main");
  v1::CloseStdinResponse close_response;
  grpc::ClientContext third;
  ASSERT_TRUE(stub_->CloseStdin(&third, close, &close_response).ok());
  EXPECT_TRUE(runtime_.input_closed());
  EXPECT_THAT(runtime_.calls(), ElementsAre("Exec web main ls -l", "Signal web main:exec-1 15 all=0"));
}

}  // namespace
}  // namespace vcd

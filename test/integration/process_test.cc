// SPDX-License-Identifier: Apache-2.0
// Processes over the wire, pretended by the backends `simulated`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/harness/api_client.h"
#include "test/harness/test_daemon.h"

namespace vcd {
namespace {

using grpc::StatusCode;

class ProcessTest : public testing::Test {
 protected:
  void SetUp() override {
    daemon_.config().set_hypervisor("simulated");
    daemon_.config().set_agent("simulated");
    const absl::Status started = daemon_.Start();
    ASSERT_TRUE(started.ok()) << started;
    api_ = std::make_unique<ApiClient>(daemon_.Connect());
  }

  // Runs a pod whose container `main` has this command.
  void Run(const std::string& pod_id, const std::vector<std::string>& args, bool interactive = false) {
    v1::PodConfig config = PodNamed(pod_id);
    v1::ContainerConfig& container = *config.mutable_containers(0);
    container.mutable_rootfs()->mutable_directory()->set_path(daemon_.rootfs());
    for (const std::string& arg : args) container.mutable_cmd()->add_args(arg);
    container.mutable_cmd()->set_interactive(interactive);
    ASSERT_THAT(api_->RunPod(config), IsError(StatusCode::OK, ""));
  }

  template <typename Request>
  static Request ForMain(const std::string& pod_id, const std::string& process_id = "") {
    Request request;
    request.set_pod_id(pod_id);
    request.set_container_id("main");
    if constexpr (!std::is_same_v<Request, v1::ReadLogsRequest> && !std::is_same_v<Request, v1::ExecRequest>) {
      request.set_process_id(process_id);
    }
    return request;
  }

  // What an attach tells: both streams, and how the process ended.
  struct Attached {
    std::string out;
    std::string err;
    int code = -1;
    grpc::Status status;
  };
  Attached Attach(const std::string& pod_id, const std::string& process_id, const std::string& input = "") {
    grpc::ClientContext context;
    ApiClient::SetDeadline(context);
    auto stream = api_->processes->Attach(&context);
    v1::AttachRequest request;
    request.mutable_start()->set_pod_id(pod_id);
    request.mutable_start()->set_container_id("main");
    request.mutable_start()->set_process_id(process_id);
    request.mutable_start()->set_from_start(true);
    stream->Write(request);
    if (!input.empty()) {
      request.set_stdin(input);
      stream->Write(request);
      request.set_close_stdin(true);
      stream->Write(request);
    }
    stream->WritesDone();
    Attached attached;
    v1::AttachResponse response;
    while (stream->Read(&response)) {
      attached.out += response.stdout();
      attached.err += response.stderr();
      if (response.has_exit_status()) attached.code = response.exit_status().code();
    }
    attached.status = stream->Finish();
    return attached;
  }

  TestDaemon daemon_;
  std::unique_ptr<ApiClient> api_;
};

TEST_F(ProcessTest, AttachTellsAllThatTheFirstProcessWrote) {
  Run("web", {"print", "out", "err"});
  const Attached attached = Attach("web", "");
  EXPECT_TRUE(attached.status.ok()) << attached.status.error_message();
  EXPECT_EQ(attached.out, "out");
  EXPECT_EQ(attached.err, "err");
  EXPECT_EQ(attached.code, 0);
}

TEST_F(ProcessTest, MuchOutputArrivesWhole) {
  Run("web", {"flood", "3000000"});
  const Attached attached = Attach("web", "");
  EXPECT_TRUE(attached.status.ok()) << attached.status.error_message();
  ASSERT_EQ(attached.out.size(), 3000000u);
  for (size_t i = 0; i < attached.out.size(); i += 9973) {
    ASSERT_EQ(static_cast<uint8_t>(attached.out[i]), i % 251) << i;
  }
}

TEST_F(ProcessTest, InputReachesTheProcessAndItsEndToo) {
  Run("web", {"cat"}, /*interactive=*/true);
  const Attached attached = Attach("web", "", "typed");
  EXPECT_TRUE(attached.status.ok()) << attached.status.error_message();
  EXPECT_EQ(attached.out, "typed");
  EXPECT_EQ(attached.code, 0);
}

TEST_F(ProcessTest, ExecRunsBesideTheFirstProcess) {
  Run("web", {"sleep"});
  auto exec = ForMain<v1::ExecRequest>("web");
  exec.mutable_cmd()->add_args("exit");
  exec.mutable_cmd()->add_args("7");
  v1::ExecResponse executed;
  ASSERT_THAT(ApiClient::Call(*api_->processes, &v1::ProcessService::Stub::Exec, exec, &executed),
              IsError(StatusCode::OK, ""));
  EXPECT_GT(executed.guest_pid(), 0);
  v1::WaitResponse waited;
  ASSERT_THAT(ApiClient::Call(*api_->processes, &v1::ProcessService::Stub::Wait,
                              ForMain<v1::WaitRequest>("web", executed.process_id()), &waited),
              IsError(StatusCode::OK, ""));
  EXPECT_EQ(waited.exit_status().code(), 7);

  exec.mutable_cmd()->set_args(0, "missing");
  EXPECT_THAT(ApiClient::Call(*api_->processes, &v1::ProcessService::Stub::Exec, exec, &executed),
              IsError(StatusCode::INVALID_ARGUMENT, "COMMAND_NOT_FOUND"));
  exec.mutable_cmd()->set_args(0, "locked");
  EXPECT_THAT(ApiClient::Call(*api_->processes, &v1::ProcessService::Stub::Exec, exec, &executed),
              IsError(StatusCode::INVALID_ARGUMENT, "COMMAND_NOT_EXECUTABLE"));
}

TEST_F(ProcessTest, SignalEndsAnExec) {
  Run("web", {"sleep"});
  auto exec = ForMain<v1::ExecRequest>("web");
  exec.mutable_cmd()->add_args("sleep");
  v1::ExecResponse executed;
  ASSERT_THAT(ApiClient::Call(*api_->processes, &v1::ProcessService::Stub::Exec, exec, &executed),
              IsError(StatusCode::OK, ""));
  auto signal = ForMain<v1::SignalRequest>("web", executed.process_id());
  signal.set_signal(15);
  v1::SignalResponse signalled;
  ASSERT_THAT(ApiClient::Call(*api_->processes, &v1::ProcessService::Stub::Signal, signal, &signalled),
              IsError(StatusCode::OK, ""));
  const Attached attached = Attach("web", executed.process_id());
  EXPECT_TRUE(attached.status.ok()) << attached.status.error_message();
  EXPECT_EQ(attached.code, 143);
}

TEST_F(ProcessTest, CloseStdinEndsTheInput) {
  Run("web", {"cat"}, /*interactive=*/true);
  v1::CloseStdinResponse closed;
  ASSERT_THAT(ApiClient::Call(*api_->processes, &v1::ProcessService::Stub::CloseStdin,
                              ForMain<v1::CloseStdinRequest>("web"), &closed),
              IsError(StatusCode::OK, ""));
  v1::WaitResponse waited;
  ASSERT_THAT(
      ApiClient::Call(*api_->processes, &v1::ProcessService::Stub::Wait, ForMain<v1::WaitRequest>("web"), &waited),
      IsError(StatusCode::OK, ""));
  EXPECT_EQ(waited.exit_status().code(), 0);
}

TEST_F(ProcessTest, LogsOutliveTheProcess) {
  Run("web", {"print", "one\ntwo\nthree\n", "bad\n"});
  EXPECT_EQ(Attach("web", "").code, 0);
  auto request = ForMain<v1::ReadLogsRequest>("web");
  request.set_follow(true);
  grpc::ClientContext context;
  ApiClient::SetDeadline(context);
  auto stream = api_->processes->ReadLogs(&context, request);
  std::string out, err;
  v1::ReadLogsResponse response;
  while (stream->Read(&response)) {
    EXPECT_GT(response.time().seconds(), 0);
    (response.stream() == v1::OUTPUT_STREAM_STDOUT ? out : err) += response.data();
  }
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(out, "one\ntwo\nthree\n");
  EXPECT_EQ(err, "bad\n");
}

TEST_F(ProcessTest, AttachThatTheClientLeavesDoesNotEndTheProcess) {
  Run("web", {"sleep"});
  {
    grpc::ClientContext context;
    ApiClient::SetDeadline(context);
    auto stream = api_->processes->Attach(&context);
    v1::AttachRequest request;
    request.mutable_start()->set_pod_id("web");
    request.mutable_start()->set_container_id("main");
    ASSERT_TRUE(stream->Write(request));
    v1::AttachResponse response;
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_TRUE(response.attached());
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), StatusCode::CANCELLED);
  }
  v1::Pod pod;
  ASSERT_THAT(api_->GetPod("web", &pod), IsError(StatusCode::OK, ""));
  EXPECT_EQ(pod.containers(0).state(), v1::CONTAINER_STATE_RUNNING);
}

TEST_F(ProcessTest, LostGuestEndsAttachAndWait) {
  Run("web", {"sleep"});
  grpc::ClientContext context;
  ApiClient::SetDeadline(context);
  auto stream = api_->processes->Attach(&context);
  v1::AttachRequest request;
  request.mutable_start()->set_pod_id("web");
  request.mutable_start()->set_container_id("main");
  ASSERT_TRUE(stream->Write(request));
  v1::AttachResponse response;
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_THAT(api_->StopPod("web", /*force=*/true), IsError(StatusCode::OK, ""));
  // Either is right: an error, or the end that the pod's record tells.
  bool told_exit = false;
  while (stream->Read(&response)) told_exit = told_exit || response.has_exit_status();
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.ok(), told_exit) << status.error_message();
}

TEST_F(ProcessTest, ShutdownEndsStreamsAndLeavesThePodAlone) {
  Run("web", {"sleep"});
  grpc::ClientContext context;
  ApiClient::SetDeadline(context);
  auto stream = api_->processes->Attach(&context);
  v1::AttachRequest request;
  request.mutable_start()->set_pod_id("web");
  request.mutable_start()->set_container_id("main");
  ASSERT_TRUE(stream->Write(request));
  v1::AttachResponse response;
  ASSERT_TRUE(stream->Read(&response));
  daemon_.Stop();
  while (stream->Read(&response)) {
  }
  EXPECT_FALSE(stream->Finish().ok());
}

}  // namespace
}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
// Mock pods behave like real ones, and outlive the daemon with their processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "test/harness/api_client.h"
#include "test/harness/test_daemon.h"

namespace vcd {
namespace {

using grpc::StatusCode;
using Processes = v1::ProcessService::Stub;

class MockGuestTest : public testing::Test {
 protected:
  void SetUp() override {
    daemon_.config().set_agent("mock");
    Start();
  }
  void Start() {
    const absl::Status started = daemon_.Start();
    ASSERT_TRUE(started.ok()) << started;
    api_ = std::make_unique<ApiClient>(daemon_.Connect());
  }
  // A new daemon; `away` happens while none runs.
  void Restart(const std::function<void()>& away = nullptr) {
    daemon_.Stop();
    if (away) away();
    Start();
  }

  v1::PodConfig Config(const std::string& pod_id, const std::vector<std::string>& args, bool interactive = false) {
    v1::PodConfig config = PodNamed(pod_id);
    v1::ContainerConfig& container = *config.mutable_containers(0);
    container.mutable_rootfs()->mutable_directory()->set_path(daemon_.rootfs());
    for (const std::string& arg : args) container.mutable_cmd()->add_args(arg);
    container.mutable_cmd()->set_interactive(interactive);
    return config;
  }
  template <typename Request>
  static Request ForMain(const std::string& pod_id) {
    Request request;
    request.set_pod_id(pod_id);
    request.set_container_id("main");
    return request;
  }
  v1::ExecResponse Exec(const std::string& pod_id, const std::vector<std::string>& args) {
    auto request = ForMain<v1::ExecRequest>(pod_id);
    for (const std::string& arg : args) request.mutable_cmd()->add_args(arg);
    v1::ExecResponse response;
    EXPECT_THAT(ApiClient::Call(*api_->processes, &Processes::Exec, request, &response), IsError(StatusCode::OK, ""));
    return response;
  }
  v1::ExitStatus Wait(const std::string& pod_id, const std::string& process_id = "") {
    auto request = ForMain<v1::WaitRequest>(pod_id);
    request.set_process_id(process_id);
    v1::WaitResponse response;
    EXPECT_THAT(ApiClient::Call(*api_->processes, &Processes::Wait, request, &response), IsError(StatusCode::OK, ""));
    return response.exit_status();
  }
  // All that the first process wrote, until it ends if `follow`.
  std::string Logs(const std::string& pod_id, bool follow) {
    auto request = ForMain<v1::ReadLogsRequest>(pod_id);
    request.set_follow(follow);
    grpc::ClientContext context;
    ApiClient::SetDeadline(context);
    auto stream = api_->processes->ReadLogs(&context, request);
    std::string text;
    v1::ReadLogsResponse response;
    while (stream->Read(&response)) text += response.data();
    EXPECT_TRUE(stream->Finish().ok());
    return text;
  }
  v1::Pod Get(const std::string& pod_id) {
    v1::Pod pod;
    EXPECT_THAT(api_->GetPod(pod_id, &pod), IsError(StatusCode::OK, ""));
    return pod;
  }
  // Writes to a first process; closes its input after that if told.
  void Type(const std::string& pod_id, const std::string& text, bool close, size_t output) {
    grpc::ClientContext context;
    ApiClient::SetDeadline(context);
    auto stream = api_->processes->Attach(&context);
    v1::AttachRequest request;
    *request.mutable_start() = ForMain<v1::AttachRequest::Start>(pod_id);
    ASSERT_TRUE(stream->Write(request));
    request.set_stdin(text);
    ASSERT_TRUE(stream->Write(request));
    if (close) {
      request.set_close_stdin(true);
      ASSERT_TRUE(stream->Write(request));
    }
    v1::AttachResponse response;
    std::string heard;
    while (heard.size() < output && stream->Read(&response)) heard += response.stdout();
    EXPECT_EQ(heard.size(), output);
    context.TryCancel();
    (void)stream->Finish();
  }

  TestDaemon daemon_;
  std::unique_ptr<ApiClient> api_;
};

TEST_F(MockGuestTest, RunsProcesses) {
  ASSERT_THAT(api_->RunPod(Config("web", {"script", "print out", "error err", "exit 3"})), IsError(StatusCode::OK, ""));
  EXPECT_EQ(Wait("web").code(), 3);
  EXPECT_EQ(Logs("web", /*follow=*/true), "out\nerr\n");
  ASSERT_THAT(api_->RunPod(Config("nginx", {"/usr/sbin/nginx", "-g", "daemon off;"})), IsError(StatusCode::OK, ""));
  const v1::ExecResponse executed = Exec("nginx", {"exit", "7"});
  EXPECT_GT(executed.guest_pid(), 0);
  EXPECT_EQ(Wait("nginx", executed.process_id()).code(), 7);
  EXPECT_EQ(Get("nginx").vm().agent_version(), "mock");
  auto kill = ForMain<v1::KillContainerRequest>("nginx");
  kill.set_signal(15);
  v1::KillContainerResponse killed;
  ASSERT_THAT(ApiClient::Call(*api_->containers, &v1::ContainerService::Stub::KillContainer, kill, &killed),
              IsError(StatusCode::OK, ""));
  EXPECT_EQ(Wait("nginx").code(), 143);
}

TEST_F(MockGuestTest, ACommandThatIsNotThereIsTold) {
  const ApiError error = api_->RunPod(Config("web", {"/bin/missing"}));
  EXPECT_THAT(error, IsError(StatusCode::INVALID_ARGUMENT, "COMMAND_NOT_FOUND"));
  EXPECT_EQ(error.metadata.at("container_id"), "main");
}

TEST_F(MockGuestTest, StoppedPodsStartAgain) {
  ASSERT_THAT(api_->RunPod(Config("web", {"cat"}, true)), IsError(StatusCode::OK, ""));
  ASSERT_THAT(api_->StopPod("web"), IsError(StatusCode::OK, ""));
  EXPECT_EQ(Get("web").containers(0).exit_status().code(), 143);
  ASSERT_THAT(api_->StartPod("web"), IsError(StatusCode::OK, ""));
  Type("web", "again", true, 5);
  EXPECT_EQ(Wait("web").code(), 0);
}

TEST_F(MockGuestTest, ProcessesOutliveTheDaemon) {
  ASSERT_THAT(api_->RunPod(Config("web", {"cat"}, true)), IsError(StatusCode::OK, ""));
  ASSERT_THAT(api_->CreatePod(Config("held", {"echo", "free at last"})), IsError(StatusCode::OK, ""));
  Type("web", "before ", false, 7);
  const v1::ExecResponse runs = Exec("web", {"sleep"});
  const v1::ExecResponse ended = Exec("web", {"exit", "9"});
  EXPECT_EQ(Wait("web", ended.process_id()).code(), 9);
  const int32_t pid = Get("web").containers(0).guest_pid();
  for (int round = 0; round < 2; ++round) Restart();
  const v1::Pod pod = Get("web");
  EXPECT_EQ(pod.state(), v1::POD_STATE_RUNNING) << pod.reason();
  EXPECT_EQ(pod.containers(0).state(), v1::CONTAINER_STATE_RUNNING) << pod.containers(0).reason();
  EXPECT_EQ(pod.containers(0).guest_pid(), pid);
  EXPECT_EQ(Wait("web", ended.process_id()).code(), 9) << "an exit is not lost";
  auto signal = ForMain<v1::SignalRequest>("web");
  signal.set_process_id(runs.process_id());
  signal.set_signal(9);
  v1::SignalResponse signalled;
  ASSERT_THAT(ApiClient::Call(*api_->processes, &Processes::Signal, signal, &signalled), IsError(StatusCode::OK, ""));
  EXPECT_EQ(Wait("web", runs.process_id()).code(), 137);
  Type("web", "after", true, 5);
  EXPECT_EQ(Wait("web").code(), 0);
  EXPECT_EQ(Logs("web", /*follow=*/true), "before after");
  ASSERT_THAT(api_->StartPod("held"), IsError(StatusCode::OK, ""));
  EXPECT_EQ(Wait("held").code(), 0);
  EXPECT_EQ(Logs("held", /*follow=*/true), "free at last\n");
}

TEST_F(MockGuestTest, WhatHappensWhileNoDaemonRunsIsTold) {
  ASSERT_THAT(api_->RunPod(Config("web", {"script", "print before", "sleep 0.3", "print meanwhile", "exit 6"})),
              IsError(StatusCode::OK, ""));
  const absl::Time due = absl::Now() + absl::Milliseconds(300);
  Restart([due] {
    while (absl::Now() < due) {
    }
  });
  EXPECT_EQ(Wait("web").code(), 6);
  EXPECT_EQ(Logs("web", /*follow=*/true), "before\nmeanwhile\n");
}

TEST_F(MockGuestTest, MuchOutputComesWholeOverARestart) {
  ASSERT_THAT(api_->RunPod(Config("web", {"flood", "3000000"})), IsError(StatusCode::OK, ""));
  Restart();
  EXPECT_EQ(Wait("web").code(), 0);
  const std::string logs = Logs("web", /*follow=*/true);
  ASSERT_EQ(logs.size(), 3000000u);
  for (size_t i = 0; i < logs.size(); i += 997) ASSERT_EQ(static_cast<uint8_t>(logs[i]), i % 251) << i;
}

TEST_F(MockGuestTest, APausedPodStandsStillAlsoOverARestart) {
  // It has slept for less than it is to, or it is tried with more sleep.
  absl::Duration sleep = absl::Milliseconds(100);
  absl::Time began;
  do {
    ASSERT_THAT(api_->DeletePod("web", /*force=*/true), IsError(StatusCode::OK, ""));
    sleep *= 2;
    ASSERT_LT(sleep, absl::Minutes(1));
    began = absl::Now();
    const std::string step = absl::StrCat("sleep ", absl::ToDoubleSeconds(sleep));
    ASSERT_THAT(api_->RunPod(Config("web", {"script", step, "print woke"})), IsError(StatusCode::OK, ""));
    ASSERT_THAT(api_->PausePod("web"), IsError(StatusCode::OK, ""));
  } while (absl::Now() - began >= sleep);
  const absl::Time due = began + sleep + absl::Milliseconds(100);
  Restart([due] {
    while (absl::Now() < due) {
    }
  });
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_PAUSED);
  EXPECT_EQ(Logs("web", /*follow=*/false), "");
  ASSERT_THAT(api_->ResumePod("web"), IsError(StatusCode::OK, ""));
  EXPECT_EQ(Wait("web").code(), 0);
  EXPECT_EQ(Logs("web", /*follow=*/true), "woke\n");
}

}  // namespace
}  // namespace vcd

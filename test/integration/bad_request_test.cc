// SPDX-License-Identifier: Apache-2.0
// What cannot be done is refused with the right code and reason, and changes nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "test/harness/api_client.h"
#include "test/harness/test_daemon.h"

namespace vcd {
namespace {

using grpc::StatusCode;
using ::testing::HasSubstr;

class BadRequestTest : public testing::Test {
 protected:
  void SetUp() override {
    const absl::Status started = daemon_.Start();
    ASSERT_TRUE(started.ok()) << started;
    api_ = std::make_unique<ApiClient>(daemon_.Connect());
  }

  template <typename Request>
  static Request ForContainer(const std::string& pod_id, const std::string& container_id) {
    Request request;
    request.set_pod_id(pod_id);
    request.set_container_id(container_id);
    return request;
  }

  bool NothingLeft() {
    return std::filesystem::is_empty(daemon_.config().run_dir() + "/pods") &&
           std::filesystem::is_empty(daemon_.config().state_dir() + "/pods");
  }

  TestDaemon daemon_;
  std::unique_ptr<ApiClient> api_;
};

TEST_F(BadRequestTest, IdsThatAreNone) {
  for (const std::string& id : {std::string("../x"), std::string("a/b"), std::string(65, 'x'), std::string("."),
                                std::string("-x"), std::string("a b")}) {
    const ApiError created = api_->CreatePod(PodNamed(id));
    EXPECT_THAT(created, IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD")) << id;
    EXPECT_EQ(created.metadata.at("field"), "config.id");
    EXPECT_THAT(api_->RunPod(PodNamed("web", id)), IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD")) << id;
    const ApiError got = api_->GetPod(id);
    EXPECT_THAT(got, IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD")) << id;
    EXPECT_EQ(got.metadata.at("field"), "pod_id");
  }
  EXPECT_THAT(api_->GetPod(""), IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
  EXPECT_THAT(api_->StartPod(""), IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
  EXPECT_THAT(api_->DeletePod(""), IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
  EXPECT_TRUE(NothingLeft());
}

TEST_F(BadRequestTest, UnknownPod) {
  const ApiError error = api_->GetPod("nobody");
  EXPECT_THAT(error, IsError(StatusCode::NOT_FOUND, "POD_NOT_FOUND"));
  EXPECT_EQ(error.metadata.at("pod_id"), "nobody");
  EXPECT_THAT(error.message, HasSubstr("nobody"));
  EXPECT_THAT(api_->StartPod("nobody"), IsError(StatusCode::NOT_FOUND, "POD_NOT_FOUND"));
  EXPECT_THAT(api_->PausePod("nobody"), IsError(StatusCode::NOT_FOUND, "POD_NOT_FOUND"));
  EXPECT_THAT(api_->ResumePod("nobody"), IsError(StatusCode::NOT_FOUND, "POD_NOT_FOUND"));
  // What is gone needs neither stopping nor deleting.
  EXPECT_THAT(api_->StopPod("nobody"), IsError(StatusCode::OK, ""));
  EXPECT_THAT(api_->StopPod("nobody", true), IsError(StatusCode::OK, ""));
  EXPECT_THAT(api_->DeletePod("nobody"), IsError(StatusCode::OK, ""));
}

TEST_F(BadRequestTest, TakenId) {
  ASSERT_THAT(api_->RunPod(PodNamed("web")), IsError(StatusCode::OK, ""));
  EXPECT_THAT(api_->CreatePod(PodNamed("web")), IsError(StatusCode::ALREADY_EXISTS, "POD_EXISTS"));
  EXPECT_THAT(api_->RunPod(PodNamed("web")), IsError(StatusCode::ALREADY_EXISTS, "POD_EXISTS"));
  v1::Pod pod;
  ASSERT_THAT(api_->GetPod("web", &pod), IsError(StatusCode::OK, ""));
  EXPECT_EQ(pod.state(), v1::POD_STATE_RUNNING);
}

TEST_F(BadRequestTest, TwoContainersOfOneId) {
  v1::PodConfig config = PodNamed("web");
  config.add_containers()->set_id("main");
  const ApiError error = api_->CreatePod(config);
  EXPECT_EQ(error.code, StatusCode::INVALID_ARGUMENT) << error;
  EXPECT_TRUE(NothingLeft());
}

TEST_F(BadRequestTest, UnknownBackends) {
  v1::PodConfig config = PodNamed("web");
  config.set_hypervisor("xen");
  ApiError error = api_->CreatePod(config);
  EXPECT_THAT(error, IsError(StatusCode::INVALID_ARGUMENT, "UNKNOWN_BACKEND"));
  EXPECT_THAT(error.metadata.at("known"), HasSubstr("mock"));
  EXPECT_THAT(error.message, HasSubstr("qemu"));
  config = PodNamed("web");
  config.set_agent("kata");
  EXPECT_THAT(api_->CreatePod(config), IsError(StatusCode::INVALID_ARGUMENT, "UNKNOWN_BACKEND"));
  config = PodNamed("web");
  config.set_network("token-ring");
  EXPECT_THAT(api_->CreatePod(config), IsError(StatusCode::INVALID_ARGUMENT, "UNKNOWN_BACKEND"));
  EXPECT_TRUE(NothingLeft());
}

TEST_F(BadRequestTest, WrongStates) {
  ASSERT_THAT(api_->CreatePod(PodNamed("web")), IsError(StatusCode::OK, ""));
  EXPECT_THAT(api_->PausePod("web"), IsError(StatusCode::FAILED_PRECONDITION, "WRONG_STATE"));
  EXPECT_THAT(api_->ResumePod("web"), IsError(StatusCode::FAILED_PRECONDITION, "WRONG_STATE"));
  ASSERT_THAT(api_->StartPod("web"), IsError(StatusCode::OK, ""));
  const ApiError error = api_->StartPod("web");
  EXPECT_THAT(error, IsError(StatusCode::FAILED_PRECONDITION, "WRONG_STATE"));
  EXPECT_EQ(error.metadata.at("state"), "running");
  EXPECT_EQ(error.metadata.at("pod_id"), "web");
}

TEST_F(BadRequestTest, UnknownContainer) {
  using Stub = v1::ContainerService::Stub;
  ASSERT_THAT(api_->RunPod(PodNamed("web")), IsError(StatusCode::OK, ""));
  v1::GetContainerResponse got;
  const ApiError error = ApiClient::Call(*api_->containers, &Stub::GetContainer,
                                         ForContainer<v1::GetContainerRequest>("web", "side"), &got);
  EXPECT_THAT(error, IsError(StatusCode::NOT_FOUND, "CONTAINER_NOT_FOUND"));
  EXPECT_EQ(error.metadata.at("container_id"), "side");
  v1::StartContainerResponse started;
  EXPECT_THAT(ApiClient::Call(*api_->containers, &Stub::StartContainer,
                              ForContainer<v1::StartContainerRequest>("web", "side"), &started),
              IsError(StatusCode::NOT_FOUND, "CONTAINER_NOT_FOUND"));
  v1::DeleteContainerResponse removed;
  EXPECT_THAT(ApiClient::Call(*api_->containers, &Stub::DeleteContainer,
                              ForContainer<v1::DeleteContainerRequest>("web", ""), &removed),
              IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
  v1::WaitResponse waited;
  EXPECT_THAT(ApiClient::Call(*api_->processes, &v1::ProcessService::Stub::Wait,
                              ForContainer<v1::WaitRequest>("web", "side"), &waited),
              IsError(StatusCode::NOT_FOUND, "CONTAINER_NOT_FOUND"));
}

TEST_F(BadRequestTest, UnknownProcess) {
  ASSERT_THAT(api_->RunPod(PodNamed("web")), IsError(StatusCode::OK, ""));
  auto wait = ForContainer<v1::WaitRequest>("web", "main");
  wait.set_process_id("exec-nope");
  v1::WaitResponse response;
  EXPECT_THAT(ApiClient::Call(*api_->processes, &v1::ProcessService::Stub::Wait, wait, &response),
              IsError(StatusCode::NOT_FOUND, "PROCESS_NOT_FOUND"));
}

TEST_F(BadRequestTest, SignalNumbers) {
  ASSERT_THAT(api_->RunPod(PodNamed("web")), IsError(StatusCode::OK, ""));
  for (const int signal : {0, -1, 65}) {
    auto kill = ForContainer<v1::KillContainerRequest>("web", "main");
    kill.set_signal(signal);
    v1::KillContainerResponse killed;
    EXPECT_THAT(ApiClient::Call(*api_->containers, &v1::ContainerService::Stub::KillContainer, kill, &killed),
                IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
    auto request = ForContainer<v1::SignalRequest>("web", "main");
    request.set_signal(signal);
    v1::SignalResponse response;
    EXPECT_THAT(ApiClient::Call(*api_->processes, &v1::ProcessService::Stub::Signal, request, &response),
                IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
  }
}

TEST_F(BadRequestTest, WhatIsNotThereYetSaysSo) {
  using Containers = v1::ContainerService::Stub;
  ASSERT_THAT(api_->RunPod(PodNamed("web")), IsError(StatusCode::OK, ""));
  v1::UpdateContainerResponse updated;
  EXPECT_THAT(ApiClient::Call(*api_->containers, &Containers::UpdateContainer,
                              ForContainer<v1::UpdateContainerRequest>("web", "main"), &updated),
              IsError(StatusCode::UNIMPLEMENTED, "NOT_IMPLEMENTED"));
  v1::ListProcessesResponse processes;
  EXPECT_THAT(ApiClient::Call(*api_->containers, &Containers::ListProcesses,
                              ForContainer<v1::ListProcessesRequest>("web", "main"), &processes),
              IsError(StatusCode::UNIMPLEMENTED, "NOT_IMPLEMENTED"));
  v1::GetContainerStatsResponse stats;
  EXPECT_THAT(ApiClient::Call(*api_->containers, &Containers::GetContainerStats,
                              ForContainer<v1::GetContainerStatsRequest>("web", "main"), &stats),
              IsError(StatusCode::UNIMPLEMENTED, "NOT_IMPLEMENTED"));
  v1::ResizeTerminalResponse resized;
  auto resize = ForContainer<v1::ResizeTerminalRequest>("web", "main");
  EXPECT_THAT(ApiClient::Call(*api_->processes, &v1::ProcessService::Stub::ResizeTerminal, resize, &resized),
              IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
  resize.set_columns(80);
  resize.set_rows(24);
  EXPECT_THAT(ApiClient::Call(*api_->processes, &v1::ProcessService::Stub::ResizeTerminal, resize, &resized),
              IsError(StatusCode::UNIMPLEMENTED, "NOT_IMPLEMENTED"));

  // The noop agent runs nothing.
  auto exec = ForContainer<v1::ExecRequest>("web", "main");
  exec.mutable_cmd()->add_args("ls");
  v1::ExecResponse executed;
  EXPECT_EQ(ApiClient::Call(*api_->processes, &v1::ProcessService::Stub::Exec, exec, &executed).code,
            StatusCode::UNIMPLEMENTED);
}

TEST_F(BadRequestTest, TextThatIsNoUtf8NeverReachesAnybody) {
  // protobuf refuses to parse it, so the daemon must answer without having seen the request.
  v1::PodConfig config = PodNamed("web");
  (*config.mutable_annotations())["k"] = "\xFF\xFE";
  EXPECT_NE(api_->CreatePod(config).code, StatusCode::OK);
  EXPECT_TRUE(NothingLeft());
}

}  // namespace
}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
// The life of pods and containers, method by method, on mock machines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "test/harness/api_client.h"
#include "test/harness/test_daemon.h"

namespace vcd {
namespace {

using grpc::StatusCode;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

class LifecycleTest : public testing::Test {
 protected:
  void SetUp() override {
    const absl::Status started = daemon_.Start();
    ASSERT_TRUE(started.ok()) << started;
    api_ = std::make_unique<ApiClient>(daemon_.Connect());
  }

  v1::Pod Get(const std::string& pod_id) {
    v1::Pod pod;
    EXPECT_THAT(api_->GetPod(pod_id, &pod), IsError(StatusCode::OK, ""));
    return pod;
  }

  TestDaemon daemon_;
  std::unique_ptr<ApiClient> api_;
};

TEST_F(LifecycleTest, PodGoesThroughItsWholeLife) {
  v1::Pod pod;
  ASSERT_THAT(api_->CreatePod(PodNamed("web"), &pod), IsError(StatusCode::OK, ""));
  EXPECT_EQ(pod.id(), "web");
  EXPECT_EQ(pod.state(), v1::POD_STATE_READY);
  EXPECT_EQ(pod.config().hypervisor(), "mock");
  EXPECT_EQ(pod.config().agent(), "noop");
  EXPECT_EQ(pod.config().network(), "none");
  EXPECT_TRUE(pod.has_created_at());
  ASSERT_EQ(pod.containers_size(), 1);
  EXPECT_EQ(pod.containers(0).state(), v1::CONTAINER_STATE_READY);
  EXPECT_TRUE(std::filesystem::exists(daemon_.config().state_dir() + "/pods/web/config.json"));

  ASSERT_THAT(api_->StartPod("web"), IsError(StatusCode::OK, ""));
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_RUNNING);
  EXPECT_EQ(Get("web").containers(0).state(), v1::CONTAINER_STATE_RUNNING);
  ASSERT_THAT(api_->PausePod("web"), IsError(StatusCode::OK, ""));
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_PAUSED);
  ASSERT_THAT(api_->ResumePod("web"), IsError(StatusCode::OK, ""));
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_RUNNING);
  ASSERT_THAT(api_->StopPod("web"), IsError(StatusCode::OK, ""));
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_STOPPED);
  ASSERT_THAT(api_->StopPod("web"), IsError(StatusCode::OK, ""));
  ASSERT_THAT(api_->StartPod("web"), IsError(StatusCode::OK, ""));
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_RUNNING);
  ASSERT_THAT(api_->StopPod("web", /*force=*/true), IsError(StatusCode::OK, ""));
  ASSERT_THAT(api_->DeletePod("web"), IsError(StatusCode::OK, ""));
  EXPECT_THAT(api_->GetPod("web"), IsError(StatusCode::NOT_FOUND, "POD_NOT_FOUND"));
  EXPECT_FALSE(std::filesystem::exists(daemon_.config().state_dir() + "/pods/web"));
  EXPECT_FALSE(std::filesystem::exists(daemon_.config().run_dir() + "/pods/web"));
}

TEST_F(LifecycleTest, EmptyIdGetsAGeneratedOne) {
  v1::Pod pod;
  ASSERT_THAT(api_->RunPod(PodNamed("", ""), &pod), IsError(StatusCode::OK, ""));
  EXPECT_THAT(pod.id(), MatchesRegex("[A-Za-z0-9][A-Za-z0-9_.-]*"));
  ASSERT_EQ(pod.containers_size(), 1);
  EXPECT_THAT(pod.containers(0).id(), MatchesRegex("[A-Za-z0-9][A-Za-z0-9_.-]*"));
  EXPECT_EQ(pod.state(), v1::POD_STATE_RUNNING);
  EXPECT_THAT(api_->GetPod(pod.id()), IsError(StatusCode::OK, ""));
}

TEST_F(LifecycleTest, LongestIdWorks) {
  const std::string id(64, 'x');
  ASSERT_THAT(api_->RunPod(PodNamed(id)), IsError(StatusCode::OK, ""));
  EXPECT_THAT(api_->DeletePod(id, /*force=*/true), IsError(StatusCode::OK, ""));
}

TEST_F(LifecycleTest, RunningPodIsDeletedWithForceOnly) {
  ASSERT_THAT(api_->RunPod(PodNamed("web")), IsError(StatusCode::OK, ""));
  const ApiError refused = api_->DeletePod("web");
  EXPECT_THAT(refused, IsError(StatusCode::FAILED_PRECONDITION, "WRONG_STATE"));
  EXPECT_EQ(refused.metadata.at("state"), "running");
  EXPECT_EQ(refused.metadata.at("pod_id"), "web");
  EXPECT_THAT(api_->DeletePod("web", /*force=*/true), IsError(StatusCode::OK, ""));
  EXPECT_TRUE(std::filesystem::is_empty(daemon_.config().run_dir() + "/pods"));
}

TEST_F(LifecycleTest, ContainerGoesThroughItsWholeLife) {
  using Stub = v1::ContainerService::Stub;
  ASSERT_THAT(api_->RunPod(PodNamed("web")), IsError(StatusCode::OK, ""));

  v1::CreateContainerRequest create;
  create.set_pod_id("web");
  create.mutable_config()->set_id("side");
  v1::CreateContainerResponse created;
  ASSERT_THAT(ApiClient::Call(*api_->containers, &Stub::CreateContainer, create, &created),
              IsError(StatusCode::OK, ""));
  EXPECT_EQ(created.container().state(), v1::CONTAINER_STATE_READY);
  EXPECT_EQ(created.container().pod_id(), "web");
  EXPECT_THAT(ApiClient::Call(*api_->containers, &Stub::CreateContainer, create, &created),
              IsError(StatusCode::ALREADY_EXISTS, "CONTAINER_EXISTS"));

  v1::StartContainerRequest start;
  start.set_pod_id("web");
  start.set_container_id("side");
  v1::StartContainerResponse started;
  ASSERT_THAT(ApiClient::Call(*api_->containers, &Stub::StartContainer, start, &started), IsError(StatusCode::OK, ""));
  EXPECT_EQ(started.container().state(), v1::CONTAINER_STATE_RUNNING);

  v1::GetContainerRequest get;
  get.set_pod_id("web");
  get.set_container_id("side");
  v1::GetContainerResponse got;
  ASSERT_THAT(ApiClient::Call(*api_->containers, &Stub::GetContainer, get, &got), IsError(StatusCode::OK, ""));
  EXPECT_EQ(got.container().id(), "side");
  v1::ListContainersRequest list;
  list.set_pod_id("web");
  v1::ListContainersResponse listed;
  ASSERT_THAT(ApiClient::Call(*api_->containers, &Stub::ListContainers, list, &listed), IsError(StatusCode::OK, ""));
  ASSERT_EQ(listed.containers_size(), 2);
  EXPECT_EQ(listed.containers(0).id(), "main");
  EXPECT_EQ(listed.containers(1).id(), "side");

  v1::StopContainerRequest stop;
  stop.set_pod_id("web");
  stop.set_container_id("side");
  v1::StopContainerResponse stopped;
  ASSERT_THAT(ApiClient::Call(*api_->containers, &Stub::StopContainer, stop, &stopped), IsError(StatusCode::OK, ""));
  EXPECT_EQ(stopped.container().state(), v1::CONTAINER_STATE_STOPPED);

  v1::DeleteContainerRequest remove;
  remove.set_pod_id("web");
  remove.set_container_id("side");
  v1::DeleteContainerResponse removed;
  ASSERT_THAT(ApiClient::Call(*api_->containers, &Stub::DeleteContainer, remove, &removed),
              IsError(StatusCode::OK, ""));
  EXPECT_THAT(ApiClient::Call(*api_->containers, &Stub::GetContainer, get, &got),
              IsError(StatusCode::NOT_FOUND, "CONTAINER_NOT_FOUND"));
}

TEST_F(LifecycleTest, AnnotationsAreMerged) {
  using Stub = v1::PodService::Stub;
  v1::PodConfig config = PodNamed("web");
  (*config.mutable_annotations())["org.example/a"] = "1";
  (*config.mutable_annotations())["org.example/b"] = "2";
  ASSERT_THAT(api_->CreatePod(config), IsError(StatusCode::OK, ""));
  v1::UpdatePodAnnotationsRequest request;
  request.set_pod_id("web");
  (*request.mutable_annotations())["org.example/a"] = "3";
  request.add_remove_keys("org.example/b");
  v1::UpdatePodAnnotationsResponse response;
  ASSERT_THAT(ApiClient::Call(*api_->pods, &Stub::UpdatePodAnnotations, request, &response),
              IsError(StatusCode::OK, ""));
  EXPECT_EQ(response.pod().config().annotations().size(), 1u);
  EXPECT_EQ(Get("web").config().annotations().at("org.example/a"), "3");
}

TEST_F(LifecycleTest, KilledContainerStops) {
  using Stub = v1::ContainerService::Stub;
  ASSERT_THAT(api_->RunPod(PodNamed("web")), IsError(StatusCode::OK, ""));
  v1::WaitRequest wait;
  wait.set_pod_id("web");
  wait.set_container_id("main");
  grpc::ClientContext context;
  ApiClient::SetDeadline(context);
  grpc::CompletionQueue queue;
  auto waiting = api_->processes->AsyncWait(&context, wait, &queue);
  v1::WaitResponse exit;
  grpc::Status status;
  waiting->Finish(&exit, &status, nullptr);

  v1::KillContainerRequest kill;
  kill.set_pod_id("web");
  kill.set_container_id("main");
  kill.set_signal(9);
  v1::KillContainerResponse killed;
  ASSERT_THAT(ApiClient::Call(*api_->containers, &Stub::KillContainer, kill, &killed), IsError(StatusCode::OK, ""));
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(exit.exit_status().code(), 137);
  EXPECT_EQ(exit.exit_status().signal(), 9);
}

}  // namespace
}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
// Limits and what is used, over the API, with mock pods.
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/harness/api_client.h"
#include "test/harness/test_daemon.h"

namespace vcd {
namespace {

using grpc::StatusCode;
using testing::HasSubstr;
using testing::SizeIs;

class ResourceTest : public testing::Test {
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

  ApiError Run(const std::string& program, int64_t memory_limit) {
    v1::PodConfig config = PodNamed("web");
    v1::ContainerConfig& container = *config.mutable_containers(0);
    container.mutable_rootfs()->mutable_directory()->set_path(daemon_.rootfs());
    container.mutable_cmd()->add_args(program);
    container.mutable_resources()->set_memory_limit_bytes(memory_limit);
    return api_->RunPod(config);
  }
  ApiError Update(const v1::ContainerResources& change, v1::Container* container = nullptr) {
    v1::UpdateContainerRequest request;
    request.set_pod_id("web");
    request.set_container_id("main");
    *request.mutable_resources() = change;
    v1::UpdateContainerResponse response;
    const ApiError error =
        ApiClient::Call(*api_->containers, &v1::ContainerService::Stub::UpdateContainer, request, &response);
    if (container != nullptr) *container = response.container();
    return error;
  }
  v1::ContainerStats Stats() {
    v1::GetContainerStatsRequest request;
    request.set_pod_id("web");
    request.set_container_id("main");
    v1::GetContainerStatsResponse response;
    EXPECT_THAT(ApiClient::Call(*api_->containers, &v1::ContainerService::Stub::GetContainerStats, request, &response),
                IsError(StatusCode::OK, ""));
    return response.stats();
  }

  TestDaemon daemon_;
  std::unique_ptr<ApiClient> api_;
};

TEST_F(ResourceTest, LimitsAreChangedAndStayOverARestartOfTheDaemon) {
  ASSERT_THAT(Run("sleep", 32 << 20), IsError(StatusCode::OK, ""));
  EXPECT_EQ(Stats().memory_limit_bytes(), 32u << 20);
  v1::ContainerResources change;
  change.set_pids_limit(12);
  (*change.mutable_unified())["memory.high"] = "1000000";
  v1::Container container;
  ASSERT_THAT(Update(change, &container), IsError(StatusCode::OK, ""));
  EXPECT_EQ(container.config().resources().pids_limit(), 12);
  EXPECT_EQ(container.config().resources().memory_limit_bytes(), 32 << 20);
  daemon_.Stop();
  Start();
  v1::Pod pod;
  ASSERT_THAT(api_->GetPod("web", &pod), IsError(StatusCode::OK, ""));
  EXPECT_EQ(pod.containers(0).config().resources().pids_limit(), 12);
  EXPECT_EQ(pod.containers(0).config().resources().unified().at("memory.high"), "1000000");
  EXPECT_EQ(Stats().pids_limit(), 12u) << "the guest goes on as it was";
}

TEST_F(ResourceTest, SaysWhichLimitIsWrong) {
  ApiError error = Run("sleep", 100);
  EXPECT_THAT(error, IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
  EXPECT_EQ(error.metadata["field"], "config.containers[0].resources.memory_limit_bytes");
  ASSERT_THAT(Run("sleep", 0), IsError(StatusCode::OK, ""));
  v1::ContainerResources change;
  EXPECT_THAT(Update(change), IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
  (*change.mutable_unified())["cgroup.procs"] = "1";
  EXPECT_THAT(Update(change), IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
  change.clear_unified();
  (*change.mutable_unified())["hugetlb.2MB.max"] = "1";
  error = Update(change);
  EXPECT_NE(error.code, StatusCode::OK);
  EXPECT_THAT(error.message, HasSubstr("hugetlb"));
}

TEST_F(ResourceTest, TellsWhatPodsUse) {
  ASSERT_THAT(Run("sleep", 0), IsError(StatusCode::OK, ""));
  v1::GetPodStatsRequest request;
  request.set_pod_id("web");
  v1::GetPodStatsResponse response;
  ASSERT_THAT(ApiClient::Call(*api_->pods, &v1::PodService::Stub::GetPodStats, request, &response),
              IsError(StatusCode::OK, ""));
  EXPECT_EQ(response.stats().pod_id(), "web");
  EXPECT_GT(response.stats().guest().memory_total_bytes(), 0u);
  ASSERT_THAT(response.stats().containers(), SizeIs(1));
  EXPECT_GT(response.stats().containers(0).memory_usage_bytes(), 0u);
  request.set_pod_id("nobody");
  EXPECT_THAT(ApiClient::Call(*api_->pods, &v1::PodService::Stub::GetPodStats, request, &response),
              IsError(StatusCode::NOT_FOUND, "POD_NOT_FOUND"));

  v1::ListProcessesRequest list;
  list.set_pod_id("web");
  list.set_container_id("main");
  v1::ListProcessesResponse processes;
  ASSERT_THAT(ApiClient::Call(*api_->containers, &v1::ContainerService::Stub::ListProcesses, list, &processes),
              IsError(StatusCode::OK, ""));
  ASSERT_THAT(processes.processes(), SizeIs(1));
  EXPECT_EQ(processes.processes(0).args(0), "sleep");
  list.set_container_id("other");
  EXPECT_THAT(ApiClient::Call(*api_->containers, &v1::ContainerService::Stub::ListProcesses, list, &processes),
              IsError(StatusCode::NOT_FOUND, "CONTAINER_NOT_FOUND"));
}

TEST_F(ResourceTest, AnOutOfMemoryKillIsInTheExitStatusAndTheEvents) {
  grpc::ClientContext context;
  ApiClient::SetDeadline(context);
  v1::WatchEventsRequest watch;
  watch.set_pod_id("web");
  auto events = api_->events->WatchEvents(&context, watch);
  events->WaitForInitialMetadata();
  ASSERT_THAT(Run("hog", 32 << 20), IsError(StatusCode::OK, ""));
  v1::WaitRequest wait;
  wait.set_pod_id("web");
  wait.set_container_id("main");
  v1::WaitResponse waited;
  ASSERT_THAT(ApiClient::Call(*api_->processes, &v1::ProcessService::Stub::Wait, wait, &waited),
              IsError(StatusCode::OK, ""));
  EXPECT_EQ(waited.exit_status().code(), 137);
  EXPECT_TRUE(waited.exit_status().oom_killed());
  v1::WatchEventsResponse response;
  while (events->Read(&response) && response.event().type() != v1::EVENT_TYPE_CONTAINER_OOM) {
  }
  EXPECT_EQ(response.event().type(), v1::EVENT_TYPE_CONTAINER_OOM);
  EXPECT_EQ(response.event().container_id(), "main");
  context.TryCancel();
  events->Finish();
}

}  // namespace
}  // namespace vcd

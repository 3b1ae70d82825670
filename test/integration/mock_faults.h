// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_INTEGRATION_MOCK_FAULTS_H_
#define VCD_TEST_INTEGRATION_MOCK_FAULTS_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "test/harness/api_client.h"
#include "test/harness/test_daemon.h"

namespace vcd {

// For tests of what mock pods are told to do, over the wire: a daemon with mock agent and network, and its client.
class MockFaultTest : public testing::Test {
 protected:
  void SetUp() override {
    daemon_.config().set_agent("mock");
    daemon_.config().set_network("mock");
    daemon_.config().set_max_parallel_boots(4);
    Start();
  }

  void Start() {
    const absl::Status started = daemon_.Start();
    ASSERT_TRUE(started.ok()) << started;
    api_ = std::make_unique<ApiClient>(daemon_.Connect());
  }

  v1::PodConfig Config(const std::string& pod_id, const std::vector<std::string>& args = {"sleep"}) {
    v1::PodConfig config = PodNamed(pod_id);
    v1::ContainerConfig& container = *config.mutable_containers(0);
    container.mutable_rootfs()->mutable_directory()->set_path(daemon_.rootfs());
    for (const std::string& arg : args) container.mutable_cmd()->add_args(arg);
    return config;
  }

  ApiError SetBehavior(const std::string& pod_id, const v1::MockBehavior& behavior) {
    v1::SetBehaviorRequest request;
    request.set_pod_id(pod_id);
    *request.mutable_behavior() = behavior;
    v1::SetBehaviorResponse response;
    return ApiClient::Call(*api_->mocks, &v1::MockService::Stub::SetBehavior, request, &response);
  }
  void Set(const std::string& pod_id, const std::string& operation, const std::string& fault) {
    v1::MockBehavior behavior;
    if (!fault.empty()) {
      behavior.GetReflection()->SetString(&behavior, v1::MockBehavior::descriptor()->FindFieldByName(operation), fault);
    }
    ASSERT_THAT(SetBehavior(pod_id, behavior), IsError(grpc::StatusCode::OK, ""));
  }
  v1::GetBehaviorResponse GetBehavior(ApiClient& api, const std::string& pod_id) {
    v1::GetBehaviorRequest request;
    request.set_pod_id(pod_id);
    v1::GetBehaviorResponse response;
    EXPECT_THAT(ApiClient::Call(*api.mocks, &v1::MockService::Stub::GetBehavior, request, &response),
                IsError(grpc::StatusCode::OK, ""));
    return response;
  }
  void WaitUntilHanging(const std::string& pod_id, const std::string& operation) {
    const absl::Time deadline = absl::Now() + absl::Seconds(120);
    while (absl::Now() < deadline) {
      const v1::GetBehaviorResponse now = GetBehavior(*api_, pod_id);
      if (std::count(now.waiting().begin(), now.waiting().end(), operation) != 0) return;
    }
    FAIL() << operation << " of pod " << pod_id << " never hung";
  }

  ApiError Exec(const std::string& pod_id, const std::vector<std::string>& args, v1::ExecResponse* response) {
    v1::ExecRequest request;
    request.set_pod_id(pod_id);
    request.set_container_id("main");
    for (const std::string& arg : args) request.mutable_cmd()->add_args(arg);
    return ApiClient::Call(*api_->processes, &v1::ProcessService::Stub::Exec, request, response);
  }
  ApiError Wait(const std::string& pod_id, const std::string& process_id, v1::ExitStatus* exit) {
    v1::WaitRequest request;
    request.set_pod_id(pod_id);
    request.set_container_id("main");
    request.set_process_id(process_id);
    v1::WaitResponse response;
    ApiError error = ApiClient::Call(*api_->processes, &v1::ProcessService::Stub::Wait, request, &response);
    *exit = response.exit_status();
    return error;
  }
  // The pod's state once it is that; the last one seen otherwise.
  v1::Pod WaitForState(const std::string& pod_id, v1::PodState state) {
    const absl::Time deadline = absl::Now() + absl::Seconds(120);
    v1::Pod pod;
    while (api_->GetPod(pod_id, &pod).code == grpc::StatusCode::OK && pod.state() != state && absl::Now() < deadline) {
    }
    return pod;
  }

  TestDaemon daemon_;
  std::unique_ptr<ApiClient> api_;
};

}  // namespace vcd

#endif  // VCD_TEST_INTEGRATION_MOCK_FAULTS_H_

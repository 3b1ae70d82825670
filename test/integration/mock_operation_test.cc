// SPDX-License-Identifier: Apache-2.0
// Every kind of fault on every operation, over the wire, and that a forced delete ends whatever hangs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "test/integration/mock_faults.h"

namespace vcd {
namespace {

using grpc::StatusCode;
using ::testing::AnyOf;
using ::testing::HasSubstr;

// An operation of the backends, and the call that comes upon it.
struct Operation {
  const char* name;
  // What has to be there before; nothing for one of the pod's creation.
  std::function<void(MockFaultTest&)> prepare;
  // Makes the call, which is about pod `web`.
  std::function<ApiError(MockFaultTest&)> call;
  bool creates = false;
};

class MockOperationTest : public MockFaultTest, public testing::WithParamInterface<Operation> {
 public:
  // For the table below, which is no member.
  ApiClient& api() { return *api_; }
  void RunWeb(const std::vector<std::string>& args = {"sleep"}) {
    ASSERT_THAT(api_->RunPod(Config("web", args)), IsError(StatusCode::OK, ""));
  }
  ApiError CallRun(bool image = false) {
    v1::PodConfig config = Config("web");
    // Whatever it is, nobody looks.
    if (image) config.mutable_containers(0)->mutable_rootfs()->mutable_image()->set_path("/no/such/image");
    return api_->RunPod(config);
  }
  ApiError CallExec() {
    v1::ExecResponse response;
    return Exec("web", {"true"}, &response);
  }
  ApiError CallKill() {
    v1::KillContainerRequest request;
    request.set_pod_id("web");
    request.set_container_id("main");
    request.set_signal(10);
    v1::KillContainerResponse response;
    return ApiClient::Call(*api_->containers, &v1::ContainerService::Stub::KillContainer, request, &response);
  }
  ApiError CallListProcesses() {
    v1::ListProcessesRequest request;
    request.set_pod_id("web");
    request.set_container_id("main");
    v1::ListProcessesResponse response;
    return ApiClient::Call(*api_->containers, &v1::ContainerService::Stub::ListProcesses, request, &response);
  }
  ApiError CallGetContainerStats() {
    v1::GetContainerStatsRequest request;
    request.set_pod_id("web");
    request.set_container_id("main");
    v1::GetContainerStatsResponse response;
    return ApiClient::Call(*api_->containers, &v1::ContainerService::Stub::GetContainerStats, request, &response);
  }
  ApiError CallUpdateContainer() {
    v1::UpdateContainerRequest request;
    request.set_pod_id("web");
    request.set_container_id("main");
    request.mutable_resources()->set_pids_limit(7);
    v1::UpdateContainerResponse response;
    return ApiClient::Call(*api_->containers, &v1::ContainerService::Stub::UpdateContainer, request, &response);
  }
  ApiError CallDeleteContainer() {
    v1::DeleteContainerRequest request;
    request.set_pod_id("web");
    request.set_container_id("main");
    v1::DeleteContainerResponse response;
    return ApiClient::Call(*api_->containers, &v1::ContainerService::Stub::DeleteContainer, request, &response);
  }
  void RunWebToItsEnd() {
    RunWeb({"true"});
    v1::ExitStatus exit;
    ASSERT_THAT(Wait("web", "", &exit), IsError(StatusCode::OK, ""));
    const absl::Time deadline = absl::Now() + absl::Seconds(120);
    v1::Pod pod;
    do {
      ASSERT_THAT(api_->GetPod("web", &pod), IsError(StatusCode::OK, ""));
    } while (pod.containers(0).state() != v1::CONTAINER_STATE_STOPPED && absl::Now() < deadline);
  }

 protected:
  void Prepare() {
    if (GetParam().prepare) GetParam().prepare(*this);
  }
  ApiError Call() { return GetParam().call(*this); }
  void Set(const std::string& fault) { MockFaultTest::Set("web", GetParam().name, fault); }
};

MockOperationTest& Of(MockFaultTest& test) { return static_cast<MockOperationTest&>(test); }

std::vector<Operation> Operations() {
  const auto run = [](MockFaultTest& test) { return Of(test).CallRun(); };
  const auto running = [](MockFaultTest& test) { Of(test).RunWeb(); };
  return {
      {"attach_network", nullptr, run, true},
      {"boot", nullptr, run, true},
      {"connect", nullptr, run, true},
      {"share_directory", nullptr, run, true},
      {"attach_disk", nullptr, [](MockFaultTest& test) { return Of(test).CallRun(/*image=*/true); }, true},
      {"create_container", nullptr, run, true},
      {"start_container", nullptr, run, true},
      {"exec", running, [](MockFaultTest& test) { return Of(test).CallExec(); }},
      {"signal", running, [](MockFaultTest& test) { return Of(test).CallKill(); }},
      {"list_processes", running, [](MockFaultTest& test) { return Of(test).CallListProcesses(); }},
      {"get_stats", running, [](MockFaultTest& test) { return Of(test).CallGetContainerStats(); }},
      {"update_resources", running, [](MockFaultTest& test) { return Of(test).CallUpdateContainer(); }},
      {"pause", running, [](MockFaultTest& test) { return Of(test).api().PausePod("web"); }},
      {"resume",
       [](MockFaultTest& test) {
         Of(test).RunWeb();
         ASSERT_THAT(Of(test).api().PausePod("web"), IsError(StatusCode::OK, ""));
       },
       [](MockFaultTest& test) { return Of(test).api().ResumePod("web"); }},
      {"remove_container", [](MockFaultTest& test) { Of(test).RunWebToItsEnd(); },
       [](MockFaultTest& test) { return Of(test).CallDeleteContainer(); }},
      {"unshare_directory", [](MockFaultTest& test) { Of(test).RunWebToItsEnd(); },
       [](MockFaultTest& test) { return Of(test).CallDeleteContainer(); }},
  };
}

INSTANTIATE_TEST_SUITE_P(All, MockOperationTest, testing::ValuesIn(Operations()),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(MockOperationTest, FailsAsTold) {
  Prepare();
  Set("error=RESOURCE_EXHAUSTED:the words of the test");
  const ApiError error = Call();
  EXPECT_EQ(error.code, StatusCode::RESOURCE_EXHAUSTED) << error;
  EXPECT_THAT(error.message, HasSubstr("the words of the test"));
  if (GetParam().creates) {
    EXPECT_THAT(api_->GetPod("web"), IsError(StatusCode::NOT_FOUND, "POD_NOT_FOUND")) << "it is undone";
  }
  Set("");
  EXPECT_THAT(Call(), IsError(StatusCode::OK, "")) << "and works again";
}

TEST_P(MockOperationTest, IsSlowAsTold) {
  Prepare();
  Set("delay=10ms");
  const absl::Time before = absl::Now();
  EXPECT_THAT(Call(), IsError(StatusCode::OK, ""));
  EXPECT_GE(absl::Now() - before, absl::Milliseconds(10));
  // A second time would do nothing for some.
  EXPECT_THAT(api_->DeletePod("web", /*force=*/true), IsError(StatusCode::OK, ""));
}

TEST_P(MockOperationTest, HangsUntilItIsTakenBack) {
  Prepare();
  Set("hang");
  ApiError error;
  std::thread caller([&] { error = Call(); });
  WaitUntilHanging("web", GetParam().name);
  Set("");
  caller.join();
  EXPECT_THAT(error, IsError(StatusCode::OK, ""));
}

TEST_P(MockOperationTest, OtherPodsGoOnWhileOneHangs) {
  Prepare();
  Set("hang");
  ApiError error;
  std::thread caller([&] { error = Call(); });
  WaitUntilHanging("web", GetParam().name);
  // A whole life beside it, and reads of both.
  ASSERT_THAT(api_->RunPod(Config("other")), IsError(StatusCode::OK, ""));
  v1::ExecResponse exec;
  EXPECT_THAT(Exec("other", {"true"}, &exec), IsError(StatusCode::OK, ""));
  EXPECT_THAT(api_->PausePod("other"), IsError(StatusCode::OK, ""));
  EXPECT_THAT(api_->ResumePod("other"), IsError(StatusCode::OK, ""));
  EXPECT_THAT(api_->GetPod("web"), IsError(StatusCode::OK, ""));
  EXPECT_THAT(api_->StopPod("other"), IsError(StatusCode::OK, ""));
  EXPECT_THAT(api_->StartPod("other"), IsError(StatusCode::OK, ""));
  EXPECT_THAT(api_->DeletePod("other", /*force=*/true), IsError(StatusCode::OK, ""));
  EXPECT_THAT(api_->DeletePod("web", /*force=*/true), IsError(StatusCode::OK, ""));
  caller.join();
}

TEST_P(MockOperationTest, ForcedDeleteEndsAHang) {
  Prepare();
  Set("hang");
  ApiError error;
  std::thread caller([&] { error = Call(); });
  WaitUntilHanging("web", GetParam().name);
  const ApiError deleted = api_->DeletePod("web", /*force=*/true);
  caller.join();
  EXPECT_THAT(deleted, IsError(StatusCode::OK, ""));
  // A signal takes no lock; it is cut off with the session that it went through.
  EXPECT_THAT(error,
              AnyOf(IsError(StatusCode::ABORTED, "PREEMPTED"), IsError(StatusCode::UNAVAILABLE, "AGENT_UNAVAILABLE")));
  EXPECT_THAT(api_->GetPod("web"), IsError(StatusCode::NOT_FOUND, "POD_NOT_FOUND"));
  EXPECT_TRUE(GetBehavior(*api_, "web").waiting().empty());
}

TEST_P(MockOperationTest, StuckIsDeafToAForcedDeleteForThatLong) {
  Prepare();
  Set("stuck=30ms");
  ApiError error;
  std::atomic<bool> over = false;
  std::thread caller([&] {
    error = Call();
    over = true;
  });
  while (!over && GetBehavior(*api_, "web").waiting().empty()) continue;
  const ApiError deleted = api_->DeletePod("web", /*force=*/true);
  caller.join();
  EXPECT_THAT(deleted, IsError(StatusCode::OK, ""));
  // What was over before the delete came has gone well.
  EXPECT_THAT(error.code, AnyOf(StatusCode::OK, StatusCode::ABORTED, StatusCode::UNAVAILABLE)) << error;
  EXPECT_THAT(api_->GetPod("web"), IsError(StatusCode::NOT_FOUND, "POD_NOT_FOUND"));
}

TEST_P(MockOperationTest, TheMachineDiesAsTold) {
  Prepare();
  Set("die");
  const ApiError error = Call();
  EXPECT_NE(error.code, StatusCode::OK);
  if (GetParam().creates) {
    EXPECT_THAT(api_->GetPod("web"), IsError(StatusCode::NOT_FOUND, "POD_NOT_FOUND"));
  } else {
    const v1::Pod pod = WaitForState("web", v1::POD_STATE_FAILED);
    EXPECT_EQ(pod.state(), v1::POD_STATE_FAILED);
    EXPECT_THAT(pod.reason(), HasSubstr(GetParam().name));
  }
  Set("");
  EXPECT_THAT(api_->DeletePod("web", /*force=*/true).code, AnyOf(StatusCode::OK, StatusCode::NOT_FOUND));
}

}  // namespace
}  // namespace vcd

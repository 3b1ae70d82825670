// SPDX-License-Identifier: Apache-2.0
// Every kind of fault on every operation, over the wire, and that a forced delete ends whatever hangs.
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "absl/time/clock.h"
#include "test/harness/api_client.h"
#include "test/harness/test_daemon.h"

namespace vcd {
namespace {

using grpc::StatusCode;
using ::testing::AnyOf;
using ::testing::HasSubstr;

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
    ASSERT_THAT(SetBehavior(pod_id, behavior), IsError(StatusCode::OK, ""));
  }
  v1::GetBehaviorResponse GetBehavior(ApiClient& api, const std::string& pod_id) {
    v1::GetBehaviorRequest request;
    request.set_pod_id(pod_id);
    v1::GetBehaviorResponse response;
    EXPECT_THAT(ApiClient::Call(*api.mocks, &v1::MockService::Stub::GetBehavior, request, &response),
                IsError(StatusCode::OK, ""));
    return response;
  }
  void WaitUntilHanging(const std::string& pod_id, const std::string& operation) {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
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
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    v1::Pod pod;
    while (api_->GetPod(pod_id, &pod).code == StatusCode::OK && pod.state() != state && absl::Now() < deadline) {
    }
    return pod;
  }

  TestDaemon daemon_;
  std::unique_ptr<ApiClient> api_;
};

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
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
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
  std::thread caller([&] { error = Call(); });
  WaitUntilHanging("web", GetParam().name);
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

TEST_F(MockFaultTest, ForcedDeleteNeedsNobodysHelp) {
  ASSERT_THAT(api_->RunPod(Config("web")), IsError(StatusCode::OK, ""));
  v1::MockBehavior behavior;
  const auto& descriptor = *v1::MockBehavior::descriptor();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    // The network is taken down when all else is gone, and gets its time for it.
    if (descriptor.field(i)->number() >= 64 || descriptor.field(i)->name() == "detach_network") continue;
    behavior.GetReflection()->SetString(&behavior, descriptor.field(i), "hang");
  }
  behavior.set_silent_after("0s");
  ASSERT_THAT(SetBehavior("web", behavior), IsError(StatusCode::OK, ""));
  EXPECT_THAT(api_->DeletePod("web", /*force=*/true), IsError(StatusCode::OK, ""));
}

TEST_F(MockFaultTest, AMachineThatCannotBeEndedIsFailedUntilItCan) {
  ASSERT_THAT(api_->RunPod(Config("web")), IsError(StatusCode::OK, ""));
  Set("web", "stop", "error=INTERNAL:it will not go");
  const ApiError error = api_->StopPod("web", /*force=*/true);
  EXPECT_EQ(error.code, StatusCode::INTERNAL) << error;
  EXPECT_EQ(WaitForState("web", v1::POD_STATE_FAILED).state(), v1::POD_STATE_FAILED);
  Set("web", "stop", "");
  EXPECT_THAT(api_->DeletePod("web", /*force=*/true), IsError(StatusCode::OK, ""));
}

TEST_F(MockFaultTest, AnnotationsSayItAtCreation) {
  v1::PodConfig config = Config("web");
  (*config.mutable_annotations())["vcd.mock/boot"] = "times=1,error=UNAVAILABLE:no memory";
  EXPECT_THAT(api_->RunPod(config), IsError(StatusCode::UNAVAILABLE, "VM_BOOT_FAILED"));
  EXPECT_THAT(api_->RunPod(config), IsError(StatusCode::OK, "")) << "an orchestrator that tries again gets it";
  EXPECT_EQ(GetBehavior(*api_, "web").annotated().boot(), "times=1,error=UNAVAILABLE:no memory");
}

TEST_F(MockFaultTest, BadBehaviourIsRefusedWhereItIsGiven) {
  v1::PodConfig config = Config("web");
  (*config.mutable_annotations())["vcd.mock/bot"] = "hang";
  ApiError error = api_->RunPod(config);
  EXPECT_THAT(error, IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
  EXPECT_THAT(error.message, HasSubstr("known are boot"));
  config = Config("web");
  (*config.mutable_annotations())["vcd.mock/exec"] = "delay=2";
  EXPECT_THAT(api_->RunPod(config), IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
  ASSERT_THAT(api_->RunPod(Config("web")), IsError(StatusCode::OK, ""));
  v1::UpdatePodAnnotationsRequest update;
  update.set_pod_id("web");
  (*update.mutable_annotations())["vcd.mock/exec"] = "delay=2";
  v1::UpdatePodAnnotationsResponse updated;
  EXPECT_THAT(ApiClient::Call(*api_->pods, &v1::PodService::Stub::UpdatePodAnnotations, update, &updated),
              IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
  v1::MockBehavior behavior;
  behavior.set_exec("delay=2");
  error = SetBehavior("web", behavior);
  EXPECT_THAT(error, IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
  EXPECT_EQ(error.metadata.at("field"), "behavior.exec") << error;
  EXPECT_THAT(SetBehavior("", v1::MockBehavior()), IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
}

TEST_F(MockFaultTest, ConfigurationSpeaksForAllPods) {
  daemon_.Stop();
  daemon_.config().mutable_mock()->set_exec("error=INTERNAL:configured");
  Start();
  ASSERT_THAT(api_->RunPod(Config("web")), IsError(StatusCode::OK, ""));
  v1::ExecResponse executed;
  EXPECT_EQ(Exec("web", {"true"}, &executed).code, StatusCode::INTERNAL);
  Set("web", "exec", "none");
  EXPECT_THAT(Exec("web", {"true"}, &executed), IsError(StatusCode::OK, ""));
  daemon_.Stop();
  daemon_.config().mutable_mock()->set_exec("bang");
  const absl::Status refused = daemon_.Start();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("`mock.exec`"));
}

TEST_F(MockFaultTest, AMachineCrashes) {
  ASSERT_THAT(api_->RunPod(Config("web")), IsError(StatusCode::OK, ""));
  v1::CrashRequest request;
  request.set_pod_id("web");
  request.set_reason("qemu was killed by the test");
  v1::CrashResponse response;
  ASSERT_THAT(ApiClient::Call(*api_->mocks, &v1::MockService::Stub::Crash, request, &response),
              IsError(StatusCode::OK, ""));
  const v1::Pod pod = WaitForState("web", v1::POD_STATE_FAILED);
  EXPECT_EQ(pod.state(), v1::POD_STATE_FAILED);
  EXPECT_THAT(pod.reason(), HasSubstr("qemu was killed by the test"));
  EXPECT_THAT(ApiClient::Call(*api_->mocks, &v1::MockService::Stub::Crash, request, &response),
              IsError(StatusCode::NOT_FOUND, "POD_NOT_FOUND"));
}

TEST_F(MockFaultTest, AMachineDiesAfterAWhile) {
  v1::PodConfig config = Config("web");
  (*config.mutable_annotations())["vcd.mock/die_after"] = "30ms";
  // It may be so soon that the pod never runs.
  (void)api_->CreatePod(config);
  v1::Pod pod = WaitForState("web", v1::POD_STATE_FAILED);
  EXPECT_EQ(pod.state(), v1::POD_STATE_FAILED);
  EXPECT_THAT(pod.reason(), HasSubstr("die_after"));
}

TEST_F(MockFaultTest, AProcessEndsAsItIsTold) {
  ASSERT_THAT(api_->RunPod(Config("web")), IsError(StatusCode::OK, ""));
  v1::EndProcessRequest request;
  request.set_pod_id("web");
  request.set_container_id("main");
  request.mutable_exit_status()->set_signal(9);
  v1::EndProcessResponse response;
  ASSERT_THAT(ApiClient::Call(*api_->mocks, &v1::MockService::Stub::EndProcess, request, &response),
              IsError(StatusCode::OK, ""));
  v1::ExitStatus exit;
  ASSERT_THAT(Wait("web", "", &exit), IsError(StatusCode::OK, ""));
  EXPECT_EQ(exit.code(), 137);
  EXPECT_EQ(exit.signal(), 9);
  EXPECT_THAT(ApiClient::Call(*api_->mocks, &v1::MockService::Stub::EndProcess, request, &response),
              IsError(StatusCode::NOT_FOUND, "PROCESS_NOT_FOUND"));
  request.mutable_exit_status()->set_code(1);
  EXPECT_THAT(ApiClient::Call(*api_->mocks, &v1::MockService::Stub::EndProcess, request, &response),
              IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
}

TEST_F(MockFaultTest, ASilentGuestIsHeardAgain) {
  ASSERT_THAT(api_->RunPod(Config("web")), IsError(StatusCode::OK, ""));
  Set("web", "silent_after", "0s");
  v1::ExecResponse executed;
  ApiError error;
  std::thread caller([&] { error = Exec("web", {"exit", "4"}, &executed); });
  WaitUntilHanging("web", "exec");
  EXPECT_THAT(api_->GetPod("web"), IsError(StatusCode::OK, "")) << "reads do not wait";
  Set("web", "silent_after", "");
  caller.join();
  ASSERT_THAT(error, IsError(StatusCode::OK, ""));
  v1::ExitStatus exit;
  ASSERT_THAT(Wait("web", executed.process_id(), &exit), IsError(StatusCode::OK, ""));
  EXPECT_EQ(exit.code(), 4);
}

TEST_F(MockFaultTest, AGuestThatStaysSilentIsGivenUp) {
  daemon_.Stop();
  daemon_.config().mutable_health()->set_interval_seconds(1);
  daemon_.config().mutable_health()->set_timeout_seconds(2);
  Start();
  ASSERT_THAT(api_->RunPod(Config("web")), IsError(StatusCode::OK, ""));
  ASSERT_THAT(api_->RunPod(Config("well")), IsError(StatusCode::OK, ""));
  Set("web", "silent_after", "0s");
  const v1::Pod pod = WaitForState("web", v1::POD_STATE_FAILED);
  EXPECT_EQ(pod.state(), v1::POD_STATE_FAILED);
  EXPECT_THAT(pod.reason(), HasSubstr("no sign of life for 2s"));
  v1::Pod well;
  ASSERT_THAT(api_->GetPod("well", &well), IsError(StatusCode::OK, ""));
  EXPECT_EQ(well.state(), v1::POD_STATE_RUNNING);
}

TEST_F(MockFaultTest, OnlyMockMachinesHaveMockGuests) {
  v1::PodConfig config = Config("web");
  config.set_hypervisor("simulated");
  ApiError error = api_->CreatePod(config);
  EXPECT_THAT(error, IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
  EXPECT_THAT(error.message, HasSubstr("use agent native"));
  config = Config("web");
  config.set_agent("native");
  error = api_->CreatePod(config);
  EXPECT_THAT(error, IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
  EXPECT_THAT(error.message, HasSubstr("use agent mock or noop"));
}

TEST_F(MockFaultTest, APodThatCannotBeAdoptedIsFailed) {
  v1::PodConfig config = Config("web");
  (*config.mutable_annotations())["vcd.mock/adopt"] = "error=UNAVAILABLE:its monitor is broken";
  ASSERT_THAT(api_->RunPod(config), IsError(StatusCode::OK, ""));
  ASSERT_THAT(api_->RunPod(Config("well")), IsError(StatusCode::OK, ""));
  daemon_.Stop();
  Start();
  v1::Pod pod;
  ASSERT_THAT(api_->GetPod("web", &pod), IsError(StatusCode::OK, ""));
  EXPECT_EQ(pod.state(), v1::POD_STATE_FAILED);
  EXPECT_THAT(pod.reason(), HasSubstr("its monitor is broken"));
  ASSERT_THAT(api_->GetPod("well", &pod), IsError(StatusCode::OK, ""));
  EXPECT_EQ(pod.state(), v1::POD_STATE_RUNNING) << pod.reason();
}

TEST_F(MockFaultTest, ForcedDeleteEndsAnAdoptionThatHangs) {
  v1::PodConfig config = Config("web");
  (*config.mutable_annotations())["vcd.mock/adopt"] = "hang";
  ASSERT_THAT(api_->RunPod(config), IsError(StatusCode::OK, ""));
  const std::shared_ptr<grpc::Channel> channel =
      grpc::CreateChannel("unix:" + daemon_.config().run_dir() + "/vcd.sock", grpc::InsecureChannelCredentials());
  daemon_.Stop();
  // It returns when all pods are reconciled, so after the delete.
  std::thread starter([&] { Start(); });
  ApiClient early(channel);
  while (GetBehavior(early, "web").waiting().empty()) {
  }
  EXPECT_THAT(early.DeletePod("web", /*force=*/true), IsError(StatusCode::OK, ""));
  starter.join();
  EXPECT_THAT(api_->GetPod("web"), IsError(StatusCode::NOT_FOUND, "POD_NOT_FOUND"));
}

}  // namespace
}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
// Who may tell mock pods what to do and how, over the wire, and what machines and guests do then.
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "test/integration/mock_faults.h"

namespace vcd {
namespace {

using grpc::StatusCode;
using ::testing::HasSubstr;

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
  // It may be so soon that the creation fails, and nothing stays of the pod.
  ApiError created;
  for (int after_ms = 30; after_ms < 30'000; after_ms *= 2) {
    (*config.mutable_annotations())["vcd.mock/die_after"] = absl::StrCat(after_ms, "ms");
    created = api_->CreatePod(config);
    if (created.code == StatusCode::OK) break;
  }
  ASSERT_THAT(created, IsError(StatusCode::OK, ""));
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

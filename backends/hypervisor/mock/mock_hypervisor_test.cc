// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/mock/mock_hypervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "absl/time/clock.h"
#include "core/hypervisor/testing/hypervisor_contract.h"
#include "core/os/completion.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;

HypervisorContractParam MockParam() {
  HypervisorContractParam param;
  // That of the daemon that was made last.
  auto control = std::make_shared<std::shared_ptr<MockControl>>();
  param.name = "Mock";
  param.make = [control](IoThread& io) {
    *control = std::make_shared<MockControl>(io);
    return std::make_unique<MockHypervisor>(io, *control);
  };
  param.crash = [control](Hypervisor&, const VmSpec& spec, const VirtualMachine&) {
    EXPECT_EQ((*control)->Crash(spec.pod_id, "crashed"), absl::OkStatus());
  };
  param.running = [](Hypervisor&, const std::string& run_dir) {
    std::vector<std::string> running;
    for (const auto& entry : std::filesystem::directory_iterator(run_dir)) running.push_back(entry.path().filename());
    return running;
  };
  param.checks_paths = false;
  return param;
}

INSTANTIATE_TEST_SUITE_P(Mock, HypervisorContract, testing::Values(MockParam()), HypervisorContractName);

class MockHypervisorTest : public testing::Test {
 protected:
  MockHypervisorTest() {
    char root[] = "/tmp/vcd-test-XXXXXX";
    spec_.pod_id = "pod-1";
    spec_.run_dir = mkdtemp(root);
  }
  ~MockHypervisorTest() override { std::filesystem::remove_all(spec_.run_dir); }

  static CallContext Soon() { return {absl::Now() + absl::Minutes(1), nullptr}; }

  static v1::MockBehavior Behavior(const std::string& field, const std::string& fault) {
    v1::MockBehavior behavior;
    behavior.GetReflection()->SetString(&behavior, v1::MockBehavior::descriptor()->FindFieldByName(field), fault);
    return behavior;
  }

  VmSpec spec_;
  IoThread io_;
  const std::shared_ptr<MockControl> control_ = std::make_shared<MockControl>(io_);
  MockHypervisor hypervisor_{io_, control_};
};

TEST_F(MockHypervisorTest, BootsAsTheAnnotationsSay) {
  spec_.annotations["vcd.mock/boot"] = "times=1,error=RESOURCE_EXHAUSTED:no memory";
  const absl::Status status = hypervisor_.Boot(spec_, Soon()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("pod-1"));
  EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_VM_BOOT_FAILED);
  EXPECT_TRUE(std::filesystem::is_empty(spec_.run_dir));
  EXPECT_EQ(hypervisor_.Boot(spec_, Soon()).status(), absl::OkStatus()) << "once was enough";
}

TEST_F(MockHypervisorTest, RefusesAnnotationsThatItDoesNotUnderstand) {
  EXPECT_EQ(hypervisor_.CheckAnnotations({{"vcd.mock/boot", "delay=1s"}, {"org.example/a", "b"}}), absl::OkStatus());
  const absl::Status unknown = hypervisor_.CheckAnnotations({{"vcd.mock/bot", "hang"}});
  EXPECT_EQ(unknown.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("`vcd.mock/bot`"));
}

TEST_F(MockHypervisorTest, SlowBootIsCancelled) {
  ASSERT_EQ(control_->Set("pod-1", Behavior("boot", "delay=1h")), absl::OkStatus());
  Cancellation cancellation;
  std::thread canceller([&] { cancellation.Cancel(absl::AbortedError("preempted")); });
  EXPECT_EQ(hypervisor_.Boot(spec_, {absl::InfiniteFuture(), &cancellation}).status().code(),
            absl::StatusCode::kAborted);
  canceller.join();
  EXPECT_TRUE(std::filesystem::is_empty(spec_.run_dir));
}

TEST_F(MockHypervisorTest, DiesAsTold) {
  auto machine = hypervisor_.Boot(spec_, Soon());
  ASSERT_TRUE(machine.ok()) << machine.status();
  Completion<std::string> end;
  (*machine)->OnExit([end](const std::string& reason) { end.Set(reason); });
  ASSERT_EQ(control_->Set("pod-1", Behavior("pause", "die")), absl::OkStatus());
  EXPECT_EQ((*machine)->Pause(Soon()).code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(end.Wait(Soon(), "end").value_or(""), HasSubstr("pause"));
  EXPECT_TRUE(std::filesystem::is_empty(spec_.run_dir));
}

TEST_F(MockHypervisorTest, DiesAfterAWhile) {
  spec_.annotations["vcd.mock/die_after"] = "1ms";
  auto machine = hypervisor_.Boot(spec_, Soon());
  ASSERT_TRUE(machine.ok()) << machine.status();
  Completion<std::string> end;
  (*machine)->OnExit([end](const std::string& reason) { end.Set(reason); });
  EXPECT_THAT(end.Wait(Soon(), "end").value_or(""), HasSubstr("die_after"));
}

TEST_F(MockHypervisorTest, EndOfTheMachineEndsWhatHangsInIt) {
  auto machine = hypervisor_.Boot(spec_, Soon());
  ASSERT_TRUE(machine.ok()) << machine.status();
  ASSERT_EQ(control_->Set("pod-1", Behavior("pause", "hang")), absl::OkStatus());
  absl::Status paused;
  std::thread pause([&] { paused = (*machine)->Pause(Soon()); });
  while (control_->Get("pod-1").waiting.empty()) std::this_thread::yield();
  ASSERT_EQ(control_->Crash("pod-1", "killed"), absl::OkStatus());
  pause.join();
  EXPECT_EQ(paused.code(), absl::StatusCode::kUnavailable) << paused;
}

TEST_F(MockHypervisorTest, AForcedStopWaitsForNothingButMayFail) {
  auto machine = hypervisor_.Boot(spec_, Soon());
  ASSERT_TRUE(machine.ok()) << machine.status();
  ASSERT_EQ(control_->Set("pod-1", Behavior("stop", "error=INTERNAL:it will not go")), absl::OkStatus());
  EXPECT_EQ((*machine)->Stop(StopMode::kForce, Soon()).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(hypervisor_.Reap(spec_.run_dir, Soon()).code(), absl::StatusCode::kInternal);
  ASSERT_EQ(control_->Set("pod-1", Behavior("stop", "hang")), absl::OkStatus());
  EXPECT_EQ((*machine)->Stop(StopMode::kForce, {absl::InfiniteFuture(), nullptr}), absl::OkStatus());
  EXPECT_TRUE(std::filesystem::is_empty(spec_.run_dir));
}

TEST_F(MockHypervisorTest, MachineOfAnEarlierBootOfTheHostHasEnded) {
  auto machine = hypervisor_.Boot(spec_, Soon());
  ASSERT_TRUE(machine.ok()) << machine.status();
  state::v1::VirtualMachine record = (*machine)->Record();
  record.mutable_process()->set_boot_id("another");
  EXPECT_EQ(MockHypervisor(io_).Adopt(spec_, record, Soon()).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(MockHypervisorTest, HasNoAgentChannelAndSaysWhatToUse) {
  auto machine = hypervisor_.Boot(spec_, Soon());
  ASSERT_TRUE(machine.ok()) << machine.status();
  EXPECT_THAT(std::string((*machine)->ConnectAgent(Soon()).status().message()), HasSubstr("noop"));
}

}  // namespace
}  // namespace vcd

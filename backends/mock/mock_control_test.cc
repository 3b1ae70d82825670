// SPDX-License-Identifier: Apache-2.0
#include "backends/mock/mock_control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "absl/time/clock.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FakeMachine : public MockControl::Machine {
 public:
  FakeMachine(MockControl& control, std::string pod_id) : control_(control), pod_id_(std::move(pod_id)) {}
  void Crash(const std::string& reason) override {
    crashed.Set(reason);
    control_.RemoveMachine(pod_id_, this);
  }
  Completion<std::string> crashed;

 private:
  MockControl& control_;
  const std::string pod_id_;
};

class FakeGuest : public MockControl::Guest {
 public:
  void BehaviorChanged() override { changed.Set(true); }
  void SetPaused(bool value) override { paused = value; }
  void MachineEnded() override { ended = true; }
  bool EndProcess(const ProcessKey& process, const v1::ExitStatus&) override { return process.container_id == "main"; }
  Completion<bool> changed;
  bool paused = false;
  bool ended = false;
};

class MockControlTest : public testing::Test {
 protected:
  static CallContext Soon() { return {absl::Now() + absl::Minutes(1), nullptr}; }
  static CallContext Briefly() { return {absl::Now() + absl::Milliseconds(2), nullptr}; }

  void Set(const std::string& pod_id, const std::string& boot) {
    v1::MockBehavior behavior;
    behavior.set_boot(boot);
    ASSERT_EQ(control_->Set(pod_id, behavior), absl::OkStatus());
  }
  absl::Status Boot(const std::string& pod_id, const CallContext& context = Soon()) {
    return control_->Enter(pod_id, MockOperation::kBoot, context);
  }
  void WaitUntilOneWaits(const std::string& pod_id) {
    while (control_->Get(pod_id).waiting.empty()) std::this_thread::yield();
  }

  IoThread io_;
  std::shared_ptr<MockControl> control_ = std::make_shared<MockControl>(io_);
};

TEST_F(MockControlTest, NothingIsWrongUnlessItIsSaid) {
  EXPECT_EQ(Boot("web"), absl::OkStatus());
  EXPECT_EQ(control_->EnterStop("web", true, Soon()), absl::OkStatus());
  EXPECT_FALSE(control_->Silent("web"));
  EXPECT_EQ(control_->Get("web").effective.ByteSizeLong(), 0u);
}

TEST_F(MockControlTest, HonoursTheContextWithoutAnyFault) {
  EXPECT_EQ(Boot("web", {absl::InfinitePast(), nullptr}).code(), absl::StatusCode::kDeadlineExceeded);
  Cancellation cancellation;
  cancellation.Cancel(absl::AbortedError("preempted"));
  EXPECT_EQ(Boot("web", {absl::InfiniteFuture(), &cancellation}), absl::AbortedError("preempted"));
}

TEST_F(MockControlTest, ApiWinsOverAnnotationsOverConfiguration) {
  v1::MockBehavior configured;
  configured.set_boot("error=INTERNAL:configured");
  configured.set_exec("hang");
  control_ = *MockControl::Create(io_, configured);
  EXPECT_THAT(std::string(Boot("web").message()), HasSubstr("configured"));
  control_->Annotate("web", *ParseMockAnnotations({{"vcd.mock/boot", "error=INTERNAL:annotated"}}));
  EXPECT_THAT(std::string(Boot("web").message()), HasSubstr("annotated"));
  EXPECT_THAT(std::string(Boot("other").message()), HasSubstr("configured"));
  Set("web", "error=INTERNAL:set");
  EXPECT_THAT(std::string(Boot("web").message()), HasSubstr("set"));
  const MockControl::Report report = control_->Get("web");
  EXPECT_EQ(report.set.boot(), "error=INTERNAL:set");
  EXPECT_EQ(report.annotated.boot(), "error=INTERNAL:annotated");
  EXPECT_EQ(report.configured.boot(), "error=INTERNAL:configured");
  EXPECT_EQ(report.effective.boot(), "error=INTERNAL:set");
  EXPECT_EQ(report.effective.exec(), "hang");
  Set("web", "none");
  EXPECT_EQ(Boot("web"), absl::OkStatus());
  ASSERT_EQ(control_->Set("web", v1::MockBehavior()), absl::OkStatus());
  EXPECT_THAT(std::string(Boot("web").message()), HasSubstr("annotated"));
}

TEST_F(MockControlTest, BadConfigurationIsNamed) {
  v1::MockBehavior configured;
  configured.set_boot("bang");
  EXPECT_THAT(std::string(MockControl::Create(io_, configured).status().message()), HasSubstr("`mock.boot`"));
  EXPECT_THAT(std::string(control_->Set("web", configured).message()), HasSubstr("`behavior.boot`"));
}

TEST_F(MockControlTest, ADelayEndsByItselfOrWithItsContext) {
  Set("web", "delay=1ms");
  EXPECT_EQ(Boot("web"), absl::OkStatus());
  Set("web", "delay=1h");
  EXPECT_EQ(Boot("web", Briefly()).code(), absl::StatusCode::kDeadlineExceeded);
  Set("web", "delay=1ms,error=ABORTED:late");
  EXPECT_EQ(Boot("web").code(), absl::StatusCode::kAborted);
}

TEST_F(MockControlTest, AHangEndsByCancellation) {
  Set("web", "hang");
  Cancellation cancellation;
  std::thread canceller([&] {
    WaitUntilOneWaits("web");
    EXPECT_THAT(control_->Get("web").waiting, ElementsAre("boot"));
    cancellation.Cancel(absl::AbortedError("preempted"));
  });
  EXPECT_EQ(Boot("web", {absl::InfiniteFuture(), &cancellation}), absl::AbortedError("preempted"));
  canceller.join();
  EXPECT_THAT(control_->Get("web").waiting, IsEmpty());
}

TEST_F(MockControlTest, AHangEndsWhenItIsTakenBack) {
  Set("web", "hang");
  std::thread other([&] {
    WaitUntilOneWaits("web");
    ASSERT_EQ(control_->Set("web", v1::MockBehavior()), absl::OkStatus());
  });
  EXPECT_EQ(Boot("web"), absl::OkStatus());
  other.join();
}

TEST_F(MockControlTest, WhatIsStuckIsDeafToCancellation) {
  Set("web", "stuck=20ms");
  Cancellation cancellation;
  cancellation.Cancel(absl::AbortedError("preempted"));
  const absl::Time before = absl::Now();
  EXPECT_EQ(Boot("web", {absl::InfiniteFuture(), &cancellation}), absl::AbortedError("preempted"));
  EXPECT_GE(absl::Now() - before, absl::Milliseconds(20));
}

TEST_F(MockControlTest, CountsPerPodUntilItIsSetAnew) {
  Set("web", "after=1,times=2,error=INTERNAL");
  std::vector<bool> ok;
  for (int i = 0; i < 5; ++i) ok.push_back(Boot("web").ok());
  EXPECT_THAT(ok, ElementsAre(true, false, false, true, true));
  Set("web", "times=1,error=INTERNAL");
  EXPECT_FALSE(Boot("web").ok());
  EXPECT_TRUE(Boot("web").ok());
}

TEST_F(MockControlTest, CountsOfAPodThatIsCreatedAgainGoOn) {
  const MockBehavior once = *ParseMockAnnotations({{"vcd.mock/boot", "times=1,error=INTERNAL"}});
  control_->Annotate("web", once);
  EXPECT_FALSE(Boot("web").ok());
  control_->ForgetUnlessRunning("web");
  control_->Annotate("web", once);
  EXPECT_TRUE(Boot("web").ok());
}

TEST_F(MockControlTest, ADeadGuestsOperationsEnd) {
  auto machine = std::make_shared<FakeMachine>(*control_, "web");
  auto guest = std::make_shared<FakeGuest>();
  control_->AddMachine("web", machine, absl::Now());
  control_->AddGuest("web", guest);
  v1::MockBehavior behavior;
  behavior.set_exec("hang");
  ASSERT_EQ(control_->Set("web", behavior), absl::OkStatus());
  std::thread killer([&] {
    WaitUntilOneWaits("web");
    EXPECT_EQ(control_->Crash("web", "killed"), absl::OkStatus());
  });
  const absl::Status status = control_->Enter("web", MockOperation::kExec, Soon(), [&] {
    return guest->ended ? absl::UnavailableError("ended") : absl::OkStatus();
  });
  EXPECT_EQ(status, absl::UnavailableError("ended"));
  killer.join();
  EXPECT_EQ(control_->Crash("web", "again").code(), absl::StatusCode::kNotFound);
}

TEST_F(MockControlTest, ASilentGuestDoesNotAnswer) {
  auto machine = std::make_shared<FakeMachine>(*control_, "web");
  auto guest = std::make_shared<FakeGuest>();
  control_->AddMachine("web", machine, absl::Now());
  control_->AddGuest("web", guest);
  v1::MockBehavior behavior;
  behavior.set_silent_after("0s");
  ASSERT_EQ(control_->Set("web", behavior), absl::OkStatus());
  EXPECT_TRUE(control_->Silent("web"));
  EXPECT_TRUE(guest->changed.done());
  const absl::Status late = control_->Enter("web", MockOperation::kSignal, Briefly());
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(DetailOf(late)->reason, v1::ERROR_REASON_AGENT_UNAVAILABLE);
  EXPECT_TRUE(control_->TakeFault("web", MockOperation::kWriteInput).hang);
  EXPECT_EQ(control_->Enter("web", MockOperation::kPause, Soon()), absl::OkStatus()) << "the machine is well";
  ASSERT_EQ(control_->Set("web", v1::MockBehavior()), absl::OkStatus());
  EXPECT_FALSE(control_->Silent("web"));
}

TEST_F(MockControlTest, SilenceAndDeathComeInTime) {
  auto machine = std::make_shared<FakeMachine>(*control_, "web");
  auto guest = std::make_shared<FakeGuest>();
  control_->Annotate("web", *ParseMockAnnotations({{"vcd.mock/silent_after", "1ms"}, {"vcd.mock/die_after", "5ms"}}));
  control_->AddGuest("web", guest);
  control_->AddMachine("web", machine, absl::Now());
  EXPECT_TRUE(guest->changed.Wait(Soon(), "silence").ok());
  EXPECT_THAT(machine->crashed.Wait(Soon(), "death").value_or(""), HasSubstr("die_after"));
}

TEST_F(MockControlTest, AMachineThatAnotherFollowedIsNotMissed) {
  auto first = std::make_shared<FakeMachine>(*control_, "web");
  auto second = std::make_shared<FakeMachine>(*control_, "web");
  control_->AddMachine("web", first, absl::Now());
  control_->AddMachine("web", second, absl::Now());
  control_->RemoveMachine("web", first.get());
  EXPECT_EQ(control_->Crash("web", "x"), absl::OkStatus());
  EXPECT_TRUE(second->crashed.done());
}

TEST_F(MockControlTest, EndsProcesses) {
  EXPECT_EQ(control_->EndProcess("web", {"main", ""}, {}).code(), absl::StatusCode::kNotFound);
  auto machine = std::make_shared<FakeMachine>(*control_, "web");
  auto guest = std::make_shared<FakeGuest>();
  control_->AddMachine("web", machine, absl::Now());
  control_->AddGuest("web", guest);
  EXPECT_EQ(control_->EndProcess("web", {"main", ""}, {}), absl::OkStatus());
  const absl::Status unknown = control_->EndProcess("web", {"side", ""}, {});
  EXPECT_EQ(DetailOf(unknown)->reason, v1::ERROR_REASON_PROCESS_NOT_FOUND);
}

}  // namespace
}  // namespace vcd

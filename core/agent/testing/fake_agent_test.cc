// SPDX-License-Identifier: Apache-2.0
#include "core/agent/testing/fake_agent.h"

#include <thread>

#include "core/agent/testing/agent_contract.h"
#include "core/hypervisor/testing/fake_hypervisor.h"
#include "core/os/completion.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Observer : public GuestObserver {
 public:
  void OnOutput(const ProcessKey&, StdStream, uint64_t, std::string) override {}
  void OnProcessExit(const ProcessKey&, const v1::ExitStatus& status) override { exited.Set(status.code()); }
  void OnOutOfMemory(const std::string&, uint64_t) override {}
  void OnMemoryPressure(double) override {}
  void OnGuestLost(const absl::Status& why) override { lost.Set(why.ToString()); }

  Completion<int> exited;
  Completion<std::string> lost;
};

GuestContainerSpec Container(const std::string& id) {
  GuestContainerSpec spec;
  spec.config.set_id(id);
  spec.config.mutable_cmd()->add_args("sleep");
  return spec;
}

class FakeContractGuest : public AgentContractGuest {
 public:
  FakeContractGuest() {
    VmSpec spec;
    spec.pod_id = "pod-1";
    machine_ = *hypervisor_.Boot(spec, CallContext());
  }

  Agent& agent() override { return agent_; }
  VirtualMachine& machine() override { return *machine_; }
  IoThread& io() override { return io_; }
  GuestContainerSpec Container(const std::string& id, const v1::Cmd& cmd) override {
    GuestContainerSpec spec;
    spec.config.set_id(id);
    *spec.config.mutable_cmd() = cmd;
    return spec;
  }

 private:
  IoThread io_;
  FakeHypervisor hypervisor_{io_};
  FakeAgent agent_{io_};
  std::unique_ptr<VirtualMachine> machine_;
};

INSTANTIATE_TEST_SUITE_P(Fake, AgentContractTest,
                         ::testing::Values(AgentContractParam{"Fake",
                                                              [] { return std::make_unique<FakeContractGuest>(); }}),
                         AgentContractName);

class FakeAgentTest : public ::testing::Test {
 protected:
  std::unique_ptr<VirtualMachine> Boot() {
    VmSpec spec;
    spec.pod_id = "p1";
    return *hypervisor_.Boot(spec, context_);
  }

  std::unique_ptr<GuestSession> Connect(VirtualMachine& machine) {
    return *agent_.Connect({"p1", "p1"}, machine, observer_, context_);
  }

  const CallContext context_{absl::Now() + absl::Minutes(1)};
  IoThread io_;
  FakeHypervisor hypervisor_{io_};
  FakeAgent agent_{io_};
  Observer observer_;
};

TEST_F(FakeAgentTest, RecordsCalls) {
  auto machine = Boot();
  auto session = Connect(*machine);
  ASSERT_TRUE(session->CreateContainer(Container("c1"), context_).ok());
  ASSERT_TRUE(session->Signal({"c1", ""}, 9, true, context_).ok());
  EXPECT_THAT(agent_.calls(), ElementsAre("Connect p1", "CreateContainer p1 c1", "Signal p1 c1 9 all"));
  EXPECT_EQ(agent_.live_sessions(), 1);
}

TEST_F(FakeAgentTest, FailsTheCallItIsToldTo) {
  auto machine = Boot();
  auto session = Connect(*machine);
  agent_.FailNth("CreateContainer", 2, absl::InternalError("no"));
  EXPECT_TRUE(session->CreateContainer(Container("c1"), context_).ok());
  EXPECT_EQ(session->CreateContainer(Container("c2"), context_).status(), absl::InternalError("no"));
  EXPECT_THAT(agent_.containers("p1"), ElementsAre("c1"));
}

TEST_F(FakeAgentTest, HangsUntilCancelled) {
  auto machine = Boot();
  auto session = Connect(*machine);
  agent_.HangNth("CreateContainer", 1);
  Cancellation cancellation;
  std::thread canceller([&] {
    EXPECT_TRUE(agent_.WaitUntilHanging("CreateContainer"));
    cancellation.Cancel(absl::AbortedError("enough"));
  });
  EXPECT_EQ(session->CreateContainer(Container("c1"), {context_.deadline, &cancellation}).status(),
            absl::AbortedError("enough"));
  canceller.join();
}

TEST_F(FakeAgentTest, LosingTheGuestEndsWhatHangsAndTellsTheObserver) {
  auto machine = Boot();
  auto session = Connect(*machine);
  session->Observe();
  agent_.HangNth("StartContainer", 1);
  std::thread loser([&] {
    EXPECT_TRUE(agent_.WaitUntilHanging("StartContainer"));
    agent_.Lose("p1", absl::UnavailableError("gone"));
  });
  EXPECT_EQ(session->StartContainer("c1", context_), absl::UnavailableError("gone"));
  loser.join();
  EXPECT_EQ(*observer_.lost.Wait(context_, "lost"), "UNAVAILABLE: gone");
  EXPECT_EQ(session->StartContainer("c1", context_), absl::UnavailableError("gone"));
}

TEST_F(FakeAgentTest, AnAdoptedMachineHasItsGuestAndANewOneAFreshOne) {
  auto machine = Boot();
  auto session = Connect(*machine);
  ASSERT_TRUE(session->CreateContainer(Container("c1"), context_).ok());
  ASSERT_TRUE(session->StartContainer("c1", context_).ok());
  session.reset();
  session = Connect(*machine);
  ASSERT_EQ(session->info().processes.size(), 1u);
  EXPECT_TRUE(session->info().processes[0].started);
  session->Observe();
  EXPECT_TRUE(agent_.Exit("p1", {"c1", ""}, 3));
  EXPECT_EQ(*observer_.exited.Wait(context_, "exit"), 3);
  session.reset();
  ASSERT_TRUE(machine->Stop(StopMode::kForce, context_).ok());
  machine = Boot();
  session = Connect(*machine);
  EXPECT_THAT(session->info().processes, IsEmpty());
}

TEST_F(FakeAgentTest, AGuestThatWasShutDownIsGone) {
  auto machine = Boot();
  auto session = Connect(*machine);
  EXPECT_TRUE(session->Shutdown(context_).ok());
  EXPECT_EQ(session->StartContainer("c1", context_).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(agent_.Connect({"p1", "p1"}, *machine, observer_, context_).status().code(),
            absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace vcd

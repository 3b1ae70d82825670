// SPDX-License-Identifier: Apache-2.0
#include "backends/agent/mock/mock_agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <thread>

#include "absl/time/clock.h"
#include "backends/hypervisor/mock/mock_hypervisor.h"
#include "core/agent/testing/agent_contract.h"
#include "core/os/completion.h"
#include "core/os/testing/temporary_directory.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;

const ProcessKey kMain{"main", ""};

// A mock machine, and agents that come and go as daemons do.
class MockContractGuest : public AgentContractGuest {
 public:
  MockContractGuest() {
    VmSpec vm;
    vm.pod_id = "pod-1";
    vm.run_dir = directory_.path();
    machine_ = *hypervisor_.Boot(vm, CallContext());
  }

  Agent& agent() override { return *agent_; }
  VirtualMachine& machine() override { return *machine_; }
  IoThread& io() override { return io_; }
  MockControl& control() { return *control_; }
  GuestSpec Spec() override { return {"pod-1", "host-1", directory_.path()}; }
  GuestContainerSpec Container(const std::string& id, const v1::Cmd& cmd) override {
    GuestContainerSpec spec;
    spec.config.set_id(id);
    *spec.config.mutable_cmd() = cmd;
    return spec;
  }
  // Another daemon in place of the first, but for the machine.
  void Restart() { agent_ = std::make_unique<MockAgent>(io_, control_); }
  std::string directory() const { return directory_.path(); }

 private:
  TemporaryDirectory directory_;
  IoThread io_;
  std::shared_ptr<MockControl> control_ = std::make_shared<MockControl>(io_);
  MockHypervisor hypervisor_{io_, control_};
  std::unique_ptr<MockAgent> agent_ = std::make_unique<MockAgent>(io_, control_);
  std::unique_ptr<VirtualMachine> machine_;
};

INSTANTIATE_TEST_SUITE_P(Mock, AgentContractTest,
                         ::testing::Values(AgentContractParam{"Mock",
                                                              [] { return std::make_unique<MockContractGuest>(); }}),
                         AgentContractName);

class MockAgentTest : public testing::Test {
 protected:
  MockAgentTest() { Connect(); }
  ~MockAgentTest() override {
    if (observer_ != nullptr) observer_->AcknowledgeTo(nullptr);
    session_.reset();
  }

  static CallContext Soon() { return {absl::Now() + absl::Minutes(1), nullptr}; }

  void Connect() {
    if (observer_ != nullptr) observer_->AcknowledgeTo(nullptr);
    session_.reset();
    observer_ = std::make_unique<RecordingObserver>();
    auto session = guest_.agent().Connect(guest_.Spec(), guest_.machine(), *observer_, Soon());
    ASSERT_TRUE(session.ok()) << session.status();
    session_ = *std::move(session);
    session_->Observe();
  }
  void RestartDaemon() {
    session_.reset();
    guest_.Restart();
    Connect();
  }

  absl::StatusOr<int32_t> Run(std::initializer_list<std::string> args, bool interactive = false) {
    v1::Cmd cmd = AgentContractGuest::Command(args);
    cmd.set_interactive(interactive);
    absl::StatusOr<int32_t> pid = session_->CreateContainer(guest_.Container("main", cmd), Soon());
    if (!pid.ok()) return pid;
    const absl::Status started = session_->StartContainer("main", Soon());
    if (!started.ok()) return started;
    return pid;
  }
  void Set(const std::string& field, const std::string& value) {
    v1::MockBehavior behavior;
    behavior.GetReflection()->SetString(&behavior, v1::MockBehavior::descriptor()->FindFieldByName(field), value);
    ASSERT_EQ(guest_.control().Set("pod-1", behavior), absl::OkStatus());
  }
  Completion<bool> Write(const std::string& data) {
    Completion<bool> done;
    session_->WriteInput(kMain, data, false, [done](const absl::Status& status) {
      done.Set(status.ok() ? absl::StatusOr<bool>(true) : status);
    });
    return done;
  }

  MockContractGuest guest_;
  std::unique_ptr<RecordingObserver> observer_;
  std::unique_ptr<GuestSession> session_;
};

TEST_F(MockAgentTest, AnotherDaemonFindsTheGuestAsItWas) {
  const absl::StatusOr<int32_t> pid = Run({"cat"}, /*interactive=*/true);
  ASSERT_TRUE(pid.ok()) << pid.status();
  ASSERT_TRUE(session_->Exec({"main", "p1"}, AgentContractGuest::Command({"exit", "7"}), Soon()).ok());
  ASSERT_TRUE(observer_->WaitForExit({"main", "p1"}).has_value());
  ASSERT_TRUE(Write("not acknowledged").Wait(Soon(), "write").ok());
  RestartDaemon();
  ASSERT_EQ(session_->info().processes.size(), 2u);
  EXPECT_EQ(session_->info().processes[0].pid, *pid);
  EXPECT_TRUE(session_->info().processes[0].started);
  EXPECT_EQ(observer_->WaitForExit({"main", "p1"})->code(), 7);
  EXPECT_TRUE(observer_->WaitForOutput(kMain, StdStream::kStdout, 16));
  EXPECT_EQ(observer_->Output(kMain, StdStream::kStdout), "not acknowledged");
  ASSERT_TRUE(Write("!").Wait(Soon(), "write").ok());
  EXPECT_TRUE(observer_->WaitForOutput(kMain, StdStream::kStdout, 17));
}

TEST_F(MockAgentTest, ProcessesGoOnWhileNoDaemonRuns) {
  ASSERT_TRUE(Run({"script", "sleep 0.005", "print meanwhile", "exit 3"}).ok());
  RestartDaemon();
  const auto exit = observer_->WaitForExit(kMain);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code(), 3);
  EXPECT_EQ(observer_->Output(kMain, StdStream::kStdout), "meanwhile\n");
}

TEST_F(MockAgentTest, TimePassesInTheGuest) {
  ASSERT_TRUE(Run({"tick", "0.01", "3"}).ok());
  ASSERT_TRUE(observer_->WaitForExit(kMain).has_value());
  EXPECT_EQ(observer_->Output(kMain, StdStream::kStdout), "tick 1\ntick 2\ntick 3\n");
}

TEST_F(MockAgentTest, AnotherMachineHasAFreshGuest) {
  ASSERT_TRUE(Run({"sleep"}).ok());
  EXPECT_TRUE(std::filesystem::exists(guest_.directory() + "/mock-guest"));
  ASSERT_EQ(guest_.control().Crash("pod-1", "killed"), absl::OkStatus());
  EXPECT_TRUE(std::filesystem::is_empty(guest_.directory()));
  const absl::Status gone = session_->Signal(kMain, SIGTERM, false, Soon());
  EXPECT_EQ(DetailOf(gone)->reason, v1::ERROR_REASON_AGENT_UNAVAILABLE) << gone;
}

TEST_F(MockAgentTest, ADamagedFileIsAFreshGuest) {
  ASSERT_TRUE(Run({"sleep"}).ok());
  session_.reset();
  std::filesystem::resize_file(guest_.directory() + "/mock-guest", 5);
  guest_.Restart();
  Connect();
  EXPECT_TRUE(session_->info().processes.empty());
}

TEST_F(MockAgentTest, OperationsFailAsTold) {
  Set("create_container", "error=RESOURCE_EXHAUSTED:no memory");
  const absl::Status failed = Run({"sleep"}).status();
  EXPECT_EQ(failed.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(failed.message()), HasSubstr("create_container: no memory"));
  Set("start_container", "error=UNAVAILABLE");
  EXPECT_EQ(DetailOf(Run({"sleep"}).status())->reason, v1::ERROR_REASON_AGENT_UNAVAILABLE);
}

TEST_F(MockAgentTest, ASilentGuestTellsNothingAndLaterAll) {
  Set("silent_after", "0s");
  ASSERT_EQ(guest_.control().Get("pod-1").effective.silent_after(), "0s");
  const CallContext briefly{absl::Now() + absl::Milliseconds(2), nullptr};
  const absl::Status late = session_->RemoveContainer("main", briefly);
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(DetailOf(late)->reason, v1::ERROR_REASON_AGENT_UNAVAILABLE);
  Set("silent_after", "none");
  ASSERT_TRUE(Run({"cat"}, /*interactive=*/true).ok());
  Set("silent_after", "0s");
  const Completion<bool> written = Write("heard late");
  EXPECT_FALSE(written.done());
  ASSERT_EQ(guest_.control().EndProcess("pod-1", kMain, {}), absl::OkStatus());
  EXPECT_FALSE(observer_->Exit(kMain).has_value());
  ASSERT_EQ(guest_.control().Set("pod-1", v1::MockBehavior()), absl::OkStatus());
  EXPECT_TRUE(observer_->WaitForExit(kMain).has_value());
  EXPECT_FALSE(written.Wait(Soon(), "write").ok()) << "it has ended before it could read";
}

TEST_F(MockAgentTest, InputIsHeldUpAsTold) {
  ASSERT_TRUE(Run({"cat"}, /*interactive=*/true).ok());
  Set("write_input", "delay=2ms");
  EXPECT_TRUE(Write("slow").Wait(Soon(), "write").ok());
  Set("write_input", "error=ABORTED:no");
  EXPECT_EQ(Write("x").Wait(Soon(), "write").status().code(), absl::StatusCode::kAborted);
  Set("write_input", "hang");
  const Completion<bool> hanging = Write(" and slower");
  EXPECT_FALSE(hanging.done());
  ASSERT_EQ(guest_.control().Set("pod-1", v1::MockBehavior()), absl::OkStatus());
  EXPECT_TRUE(hanging.Wait(Soon(), "write").ok());
  EXPECT_TRUE(observer_->WaitForOutput(kMain, StdStream::kStdout, 15));
  EXPECT_EQ(observer_->Output(kMain, StdStream::kStdout), "slow and slower");
  Set("write_input", "hang");
  const Completion<bool> abandoned = Write("x");
  session_.reset();
  EXPECT_EQ(abandoned.Wait(Soon(), "write").status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(MockAgentTest, InputWaitsForRoomAndForItsProcessesEnd) {
  ASSERT_TRUE(Run({"sleep"}, /*interactive=*/true).ok());
  const Completion<bool> waiting = Write(std::string(400000, 'x'));
  ASSERT_EQ(session_->Signal(kMain, SIGUSR1, false, Soon()), absl::OkStatus());
  EXPECT_FALSE(waiting.done());
  ASSERT_EQ(session_->RemoveContainer("main", Soon()), absl::OkStatus());
  EXPECT_EQ(waiting.Wait(Soon(), "write").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(MockAgentTest, AMachineThatDiesEndsWhatHangsInItsGuest) {
  ASSERT_TRUE(Run({"sleep"}).ok());
  Set("exec", "hang");
  absl::Status status;
  std::thread exec([&] {
    status = session_->Exec({"main", "p1"}, AgentContractGuest::Command({"true"}), Soon()).status();
  });
  while (guest_.control().Get("pod-1").waiting.empty()) std::this_thread::yield();
  ASSERT_EQ(guest_.control().Crash("pod-1", "killed"), absl::OkStatus());
  exec.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
}

TEST_F(MockAgentTest, AfterShutdownNobodyAnswers) {
  ASSERT_EQ(session_->Shutdown(Soon()), absl::OkStatus());
  EXPECT_EQ(session_->RemoveContainer("main", Soon()).code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace vcd

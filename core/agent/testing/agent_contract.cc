// SPDX-License-Identifier: Apache-2.0
#include "core/agent/testing/agent_contract.h"

#include <signal.h>

#include <thread>

#include "core/link/link_limits.h"
#include "core/model/container_limits.h"
#include "core/os/completion.h"
#include "core/status/error_detail.h"
#include "gmock/gmock.h"

namespace vcd {

namespace {

const ProcessKey kFirst{"c1", ""};
const ProcessKey kSecond{"c1", "p1"};

v1::ErrorReason ReasonOf(const absl::Status& status) {
  const std::optional<ErrorDetail> detail = DetailOf(status);
  return detail.has_value() ? detail->reason : v1::ERROR_REASON_UNSPECIFIED;
}

}  // namespace

void AgentContractTest::SetUp() {
  const std::string reason = GetParam().skip_reason ? GetParam().skip_reason() : "";
  if (!reason.empty()) GTEST_SKIP() << reason;
  context_.deadline = absl::Now() + absl::Seconds(30);
  guest_ = GetParam().make();
  Connect();
}

void AgentContractTest::TearDown() {
  if (observer_ != nullptr) observer_->AcknowledgeTo(nullptr);
  session_.reset();
  if (observer_ != nullptr) {
    EXPECT_EQ(observer_->complaints(), "");
  }
}

void AgentContractTest::Connect() {
  if (observer_ != nullptr) observer_->AcknowledgeTo(nullptr);
  session_.reset();
  observer_ = std::make_unique<RecordingObserver>();
  auto session = guest_->agent().Connect(guest_->Spec(), guest_->machine(), *observer_, context_);
  ASSERT_TRUE(session.ok()) << session.status();
  session_ = *std::move(session);
}

absl::Status AgentContractTest::Run(const std::string& id, const v1::Cmd& cmd) {
  absl::StatusOr<int32_t> pid = session().CreateContainer(guest_->Container(id, cmd), context_);
  if (!pid.ok()) return pid.status();
  return session().StartContainer(id, context_);
}

absl::Status AgentContractTest::Write(const ProcessKey& process, const std::string& data, bool close) {
  const Completion<bool> done;
  session().WriteInput(process, data, close, [done, this](absl::Status status) {
    EXPECT_TRUE(guest_->io().OnThread());
    done.Set(status.ok() ? absl::StatusOr<bool>(true) : status);
  });
  return done.Wait(context_, "write").status();
}

TEST_P(AgentContractTest, AFreshGuestHasNoProcesses) {
  EXPECT_TRUE(session().info().processes.empty());
  EXPECT_NE(session().info().agent_version, "");
}

TEST_P(AgentContractTest, RefusesAnIdThatIsTaken) {
  ASSERT_EQ(session().CreateContainer(guest_->Container("c1", guest_->RunForever()), context_).status(),
            absl::OkStatus());
  const absl::Status again =
      session().CreateContainer(guest_->Container("c1", guest_->RunForever()), context_).status();
  EXPECT_EQ(again.code(), absl::StatusCode::kAlreadyExists) << again;
  EXPECT_EQ(ReasonOf(again), v1::ERROR_REASON_CONTAINER_EXISTS);
  EXPECT_THAT(std::string(again.message()), ::testing::HasSubstr("c1"));
}

TEST_P(AgentContractTest, StartsAContainerOnce) {
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  EXPECT_EQ(session().StartContainer("c1", context_).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_P(AgentContractTest, SignalsEndAContainer) {
  session().Observe();
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  ASSERT_EQ(session().Signal(kFirst, SIGKILL, false, context_), absl::OkStatus());
  const std::optional<v1::ExitStatus> exit = observer_->WaitForExit(kFirst);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code(), 128 + SIGKILL);
  EXPECT_EQ(exit->signal(), SIGKILL);
  EXPECT_EQ(session().Signal(kFirst, SIGKILL, false, context_), absl::OkStatus()) << "it has ended already";
}

TEST_P(AgentContractTest, SignalsEndAHeldContainer) {
  session().Observe();
  ASSERT_EQ(session().CreateContainer(guest_->Container("c1", guest_->RunForever()), context_).status(),
            absl::OkStatus());
  ASSERT_EQ(session().Signal(kFirst, SIGKILL, true, context_), absl::OkStatus());
  const std::optional<v1::ExitStatus> exit = observer_->WaitForExit(kFirst);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code(), 128 + SIGKILL);
  EXPECT_EQ(session().StartContainer("c1", context_).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_P(AgentContractTest, RemovesContainersInAnyStateAndTheirIdIsFreeAgain) {
  EXPECT_EQ(session().RemoveContainer("c1", context_), absl::OkStatus()) << "there is none";
  ASSERT_EQ(session().CreateContainer(guest_->Container("c1", guest_->RunForever()), context_).status(),
            absl::OkStatus());
  EXPECT_EQ(session().RemoveContainer("c1", context_), absl::OkStatus()) << "held";
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  EXPECT_EQ(session().RemoveContainer("c1", context_), absl::OkStatus()) << "running";
  EXPECT_EQ(session().RemoveContainer("c1", context_), absl::OkStatus()) << "removed";
  EXPECT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
}

TEST_P(AgentContractTest, ExitsWaitForObserve) {
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  ASSERT_EQ(session().Signal(kFirst, SIGKILL, false, context_), absl::OkStatus());
  EXPECT_FALSE(observer_->Exit(kFirst).has_value());
  session().Observe();
  EXPECT_TRUE(observer_->WaitForExit(kFirst).has_value());
}

TEST_P(AgentContractTest, ADestroyedSessionTellsNothing) {
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  session().Observe();
  ASSERT_EQ(session().Signal(kFirst, SIGKILL, false, context_), absl::OkStatus());
  session_.reset();
  // The observer goes, too: a call now would be one to a dead object, which sanitizers tell.
  EXPECT_EQ(observer_->complaints(), "");
  observer_.reset();
}

TEST_P(AgentContractTest, HonoursTheContext) {
  const CallContext late{absl::Now() - absl::Seconds(1)};
  EXPECT_EQ(session().RemoveContainer("c1", late).code(), absl::StatusCode::kDeadlineExceeded);
  Cancellation cancellation;
  cancellation.Cancel(absl::AbortedError("preempted"));
  const CallContext cancelled{context_.deadline, &cancellation};
  EXPECT_EQ(session().RemoveContainer("c1", cancelled), absl::AbortedError("preempted"));
  auto unconnected = guest_->agent().Connect(guest_->Spec(), guest_->machine(), *observer_, cancelled);
  EXPECT_EQ(unconnected.status(), absl::AbortedError("preempted"));
}

TEST_P(AgentContractTest, ShutsDown) { EXPECT_EQ(session().Shutdown(context_), absl::OkStatus()); }

TEST_P(AgentContractTest, AnAgentWithoutProcessesSaysSo) {
  if (RunsProcesses()) return;
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  EXPECT_EQ(session().Exec(kSecond, guest_->RunForever(), context_).status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(Write(kFirst, "x", false).code(), absl::StatusCode::kUnimplemented);
}

TEST_P(AgentContractTest, TellsOutputOfBothStreamsAndThenTheExit) {
  if (!RunsProcesses()) return;
  session().Observe();
  ASSERT_EQ(Run("c1", guest_->Print("to stdout", "to stderr")), absl::OkStatus());
  const std::optional<v1::ExitStatus> exit = observer_->WaitForExit(kFirst);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code(), 0);
  EXPECT_EQ(exit->signal(), 0);
  EXPECT_EQ(observer_->Output(kFirst, StdStream::kStdout), "to stdout");
  EXPECT_EQ(observer_->Output(kFirst, StdStream::kStderr), "to stderr");
}

TEST_P(AgentContractTest, TellsTheExitCode) {
  if (!RunsProcesses()) return;
  session().Observe();
  ASSERT_EQ(Run("c1", guest_->Exit(7)), absl::OkStatus());
  const std::optional<v1::ExitStatus> exit = observer_->WaitForExit(kFirst);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code(), 7);
}

TEST_P(AgentContractTest, CreateTellsApartWhyACommandCannotRun) {
  if (!RunsProcesses()) return;
  const absl::Status missing = session().CreateContainer(guest_->Container("c1", guest_->Missing()), context_).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kInvalidArgument) << missing;
  EXPECT_EQ(ReasonOf(missing), v1::ERROR_REASON_COMMAND_NOT_FOUND) << missing;
  const absl::Status locked =
      session().CreateContainer(guest_->Container("c1", guest_->NotExecutable()), context_).status();
  EXPECT_EQ(locked.code(), absl::StatusCode::kInvalidArgument) << locked;
  EXPECT_EQ(ReasonOf(locked), v1::ERROR_REASON_COMMAND_NOT_EXECUTABLE) << locked;
  v1::Cmd cmd = guest_->RunForever();
  cmd.set_user("nobody-such");
  const absl::Status user = session().CreateContainer(guest_->Container("c1", cmd), context_).status();
  EXPECT_EQ(user.code(), absl::StatusCode::kInvalidArgument) << user;
  EXPECT_EQ(ReasonOf(user), v1::ERROR_REASON_INVALID_FIELD) << user;
  // Nothing stays behind.
  EXPECT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
}

TEST_P(AgentContractTest, UnknownContainersAndProcessesAreNotFound) {
  if (!RunsProcesses()) return;
  EXPECT_EQ(session().StartContainer("c1", context_).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(session().Signal(kFirst, SIGTERM, false, context_).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(session().Exec(kSecond, guest_->RunForever(), context_).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Write(kFirst, "x", false).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(session().RemoveProcess(kSecond, context_), absl::OkStatus());
  session().AcknowledgeOutput(kFirst, StdStream::kStdout, 17);
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  EXPECT_EQ(session().Signal(kSecond, SIGTERM, false, context_).code(), absl::StatusCode::kNotFound);
}

TEST_P(AgentContractTest, RunsMoreProcessesInAContainer) {
  if (!RunsProcesses()) return;
  session().Observe();
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  const absl::StatusOr<int32_t> pid = session().Exec(kSecond, guest_->Print("out", "err"), context_);
  ASSERT_TRUE(pid.ok()) << pid.status();
  EXPECT_GT(*pid, 0);
  ASSERT_TRUE(observer_->WaitForExit(kSecond).has_value());
  EXPECT_EQ(observer_->Output(kSecond, StdStream::kStdout), "out");
  EXPECT_EQ(observer_->Output(kSecond, StdStream::kStderr), "err");
  EXPECT_FALSE(observer_->Exit(kFirst).has_value());
  EXPECT_EQ(session().Exec(kSecond, guest_->Exit(0), context_).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(session().RemoveProcess(kSecond, context_), absl::OkStatus());
  EXPECT_EQ(session().RemoveProcess(kSecond, context_), absl::OkStatus()) << "there is none";
  EXPECT_EQ(session().Exec({"c1", "p2"}, guest_->Exit(0), context_).status(), absl::OkStatus());
  const absl::Status missing = session().Exec({"c1", "p3"}, guest_->Missing(), context_).status();
  EXPECT_EQ(ReasonOf(missing), v1::ERROR_REASON_COMMAND_NOT_FOUND) << missing;
}

TEST_P(AgentContractTest, PacksFilesOfAContainerOrSaysThatItCannot) {
  if (!RunsProcesses()) return;
  session().Observe();
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  GuestArchive archive;
  archive.path = "/";
  archive.stat_only = true;
  const absl::StatusOr<int32_t> pid = session().ExecArchive(kSecond, archive, context_);
  if (!guest_->agent().capabilities().archives) {
    EXPECT_EQ(pid.status().code(), absl::StatusCode::kUnimplemented);
    return;
  }
  ASSERT_TRUE(pid.ok()) << pid.status();
  if (!guest_->HasFiles()) return;
  const std::optional<v1::ExitStatus> exit = observer_->WaitForExit(kSecond);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code(), 0) << observer_->Output(kSecond, StdStream::kStderr);
  // The first header may be one with more about the file.
  const std::string tar = observer_->Output(kSecond, StdStream::kStdout);
  ASSERT_GE(tar.size(), 1024u);
  EXPECT_EQ(tar.size() % 512, 0u);
  EXPECT_EQ(tar.substr(257, 5), "ustar");
  archive.path = "relative";
  EXPECT_EQ(session().ExecArchive({"c1", "p2"}, archive, context_).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(AgentContractTest, TheEndOfTheFirstProcessEndsTheOthers) {
  if (!RunsProcesses()) return;
  session().Observe();
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  ASSERT_EQ(session().Exec(kSecond, guest_->RunForever(), context_).status(), absl::OkStatus());
  ASSERT_EQ(session().Signal(kFirst, SIGKILL, false, context_), absl::OkStatus());
  EXPECT_TRUE(observer_->WaitForExit(kFirst).has_value());
  const std::optional<v1::ExitStatus> other = observer_->WaitForExit(kSecond);
  ASSERT_TRUE(other.has_value());
  EXPECT_EQ(other->signal(), SIGKILL);
}

TEST_P(AgentContractTest, SignalsEveryProcessOfAContainer) {
  if (!RunsProcesses()) return;
  session().Observe();
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  ASSERT_EQ(session().Exec(kSecond, guest_->RunForever(), context_).status(), absl::OkStatus());
  ASSERT_EQ(session().Signal(kFirst, SIGKILL, true, context_), absl::OkStatus());
  EXPECT_TRUE(observer_->WaitForExit(kFirst).has_value());
  EXPECT_TRUE(observer_->WaitForExit(kSecond).has_value());
}

TEST_P(AgentContractTest, InputArrivesInOrderAndItsEndIsSeen) {
  if (!RunsProcesses()) return;
  session().Observe();
  observer_->AcknowledgeTo(session_.get());
  ASSERT_EQ(Run("c1", guest_->Cat()), absl::OkStatus());
  std::string all;
  for (int i = 0; i < 8; ++i) {
    const std::string part(100000, static_cast<char>('a' + i));
    all += part;
    ASSERT_EQ(Write(kFirst, part, false), absl::OkStatus());
  }
  ASSERT_EQ(Write(kFirst, "end", true), absl::OkStatus());
  const std::optional<v1::ExitStatus> exit = observer_->WaitForExit(kFirst);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code(), 0);
  EXPECT_TRUE(observer_->Output(kFirst, StdStream::kStdout) == all + "end");
  EXPECT_EQ(Write(kFirst, "x", false).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_P(AgentContractTest, ClosedInputTakesNoMore) {
  if (!RunsProcesses()) return;
  ASSERT_EQ(session().CreateContainer(guest_->Container("c1", guest_->Cat()), context_).status(), absl::OkStatus());
  ASSERT_EQ(Write(kFirst, "", true), absl::OkStatus());
  EXPECT_EQ(Write(kFirst, "x", false).code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_EQ(Run("c2", guest_->RunForever()), absl::OkStatus());
  EXPECT_EQ(Write({"c2", ""}, "x", false).code(), absl::StatusCode::kFailedPrecondition) << "not interactive";
}

TEST_P(AgentContractTest, HoldsOutputBackUntilItIsAcknowledged) {
  if (!RunsProcesses()) return;
  constexpr int kBytes = 1 << 20;
  session().Observe();
  ASSERT_EQ(Run("c1", guest_->Flood(kBytes)), absl::OkStatus());
  ASSERT_TRUE(observer_->WaitForOutput(kFirst, StdStream::kStdout, 1));
  // Another process is heard while this one waits; nothing more comes of it by then.
  ASSERT_EQ(Run("c2", guest_->Print("still here", "")), absl::OkStatus());
  ASSERT_TRUE(observer_->WaitForExit({"c2", ""}).has_value());
  EXPECT_LE(observer_->Output(kFirst, StdStream::kStdout).size(), kOutputWindow);
  EXPECT_FALSE(observer_->Exit(kFirst).has_value());
  observer_->AcknowledgeTo(session_.get());
  ASSERT_TRUE(observer_->WaitForExit(kFirst).has_value());
  EXPECT_EQ(observer_->Output(kFirst, StdStream::kStdout).size(), static_cast<size_t>(kBytes));
}

TEST_P(AgentContractTest, AnotherConnectionLosesNoOutputAndNoExit) {
  if (!RunsProcesses()) return;
  session().Observe();
  ASSERT_EQ(Run("c1", guest_->Print("once", "")), absl::OkStatus());
  ASSERT_TRUE(observer_->WaitForExit(kFirst).has_value());
  ASSERT_EQ(session().CreateContainer(guest_->Container("c2", guest_->Cat()), context_).status(), absl::OkStatus());
  Connect();
  ASSERT_EQ(session().info().processes.size(), 2u);
  const GuestProcess& ended = session().info().processes[0];
  const GuestProcess& held = session().info().processes[1];
  EXPECT_EQ(ended.key, kFirst);
  EXPECT_TRUE(ended.started);
  ASSERT_TRUE(ended.exit.has_value());
  EXPECT_EQ(ended.exit->code(), 0);
  EXPECT_EQ(ended.stdout_offset, 0u);
  EXPECT_EQ(held.key, (ProcessKey{"c2", ""}));
  EXPECT_FALSE(held.started);
  EXPECT_GT(held.pid, 0);
  session().Observe();
  ASSERT_TRUE(observer_->WaitForExit(kFirst).has_value()) << "exits are told again";
  EXPECT_EQ(observer_->Output(kFirst, StdStream::kStdout), "once");
  ASSERT_EQ(session().StartContainer("c2", context_), absl::OkStatus());
  ASSERT_EQ(Write({"c2", ""}, "hello", true), absl::OkStatus());
  ASSERT_TRUE(observer_->WaitForExit({"c2", ""}).has_value());
  EXPECT_EQ(observer_->Output({"c2", ""}, StdStream::kStdout), "hello");
}

TEST_P(AgentContractTest, InputOfAConnectionBeforeIsKept) {
  if (!RunsProcesses()) return;
  // A held process reads nothing: more than a pipe takes is left to the guest.
  ASSERT_EQ(session().CreateContainer(guest_->Container("c1", guest_->Cat()), context_).status(), absl::OkStatus());
  const std::string before(150000, 'b');
  ASSERT_EQ(Write(kFirst, before, false), absl::OkStatus());
  // Input has no answer, but comes before that of a request behind it.
  ASSERT_EQ(session().RemoveProcess(kSecond, context_), absl::OkStatus());
  Connect();
  session().Observe();
  observer_->AcknowledgeTo(session_.get());
  ASSERT_EQ(Write(kFirst, "after", true), absl::OkStatus());
  ASSERT_EQ(session().StartContainer("c1", context_), absl::OkStatus());
  ASSERT_TRUE(observer_->WaitForExit(kFirst).has_value());
  EXPECT_TRUE(observer_->Output(kFirst, StdStream::kStdout) == before + "after");
}

TEST_P(AgentContractTest, AcknowledgedOutputIsNotToldAgain) {
  if (!RunsProcesses()) return;
  session().Observe();
  ASSERT_EQ(Run("c1", guest_->Cat()), absl::OkStatus());
  ASSERT_EQ(Write(kFirst, "before", false), absl::OkStatus());
  ASSERT_TRUE(observer_->WaitForOutput(kFirst, StdStream::kStdout, 6));
  session().AcknowledgeOutput(kFirst, StdStream::kStdout, 6);
  // Acknowledgements have no answer; a request behind it has.
  ASSERT_EQ(Write(kFirst, "after", false), absl::OkStatus());
  ASSERT_TRUE(observer_->WaitForOutput(kFirst, StdStream::kStdout, 11));
  Connect();
  ASSERT_EQ(session().info().processes.size(), 1u);
  EXPECT_EQ(session().info().processes[0].stdout_offset, 6u);
  session().Observe();
  ASSERT_TRUE(observer_->WaitForOutput(kFirst, StdStream::kStdout, 5));
  EXPECT_EQ(observer_->Output(kFirst, StdStream::kStdout), "after");
}

TEST_P(AgentContractTest, ATerminalIsOneStreamAndHasASize) {
  if (!RunsProcesses()) return;
  session().Observe();
  v1::Cmd cmd = guest_->OnTerminal(guest_->ShowSize());
  cmd.mutable_terminal_size()->set_columns(132);
  cmd.mutable_terminal_size()->set_rows(43);
  ASSERT_EQ(Run("c1", cmd), absl::OkStatus());
  ASSERT_TRUE(observer_->WaitForOutput(kFirst, StdStream::kStdout, 6));
  EXPECT_THAT(observer_->Output(kFirst, StdStream::kStdout), ::testing::StartsWith("43 132"));
  ASSERT_EQ(session().Exec(kSecond, guest_->OnTerminal(guest_->Print("out", "err")), context_).status(),
            absl::OkStatus());
  ASSERT_TRUE(observer_->WaitForExit(kSecond).has_value());
  EXPECT_EQ(observer_->Output(kSecond, StdStream::kStdout), "outerr");
  EXPECT_EQ(observer_->Output(kSecond, StdStream::kStderr), "");
}

TEST_P(AgentContractTest, ResizesATerminalAlsoOverAnotherConnection) {
  if (!RunsProcesses()) return;
  session().Observe();
  ASSERT_EQ(Run("c1", guest_->OnTerminal(guest_->ShowSize())), absl::OkStatus());
  ASSERT_TRUE(observer_->WaitForOutput(kFirst, StdStream::kStdout, 5));
  EXPECT_THAT(observer_->Output(kFirst, StdStream::kStdout), ::testing::StartsWith("24 80"));
  EXPECT_EQ(session().Exec(kSecond, guest_->Cat(), context_).status(), absl::OkStatus());
  Connect();
  for (const GuestProcess& process : session().info().processes) EXPECT_EQ(process.terminal, process.key == kFirst);
  session().Observe();
  v1::TerminalSize size;
  size.set_columns(100);
  size.set_rows(50);
  ASSERT_EQ(session().ResizeTerminal(kFirst, size, context_), absl::OkStatus());
  ASSERT_EQ(Write(kFirst, "", true), absl::OkStatus());
  ASSERT_TRUE(observer_->WaitForExit(kFirst).has_value());
  EXPECT_THAT(observer_->Output(kFirst, StdStream::kStdout), ::testing::HasSubstr("50 100"));
  EXPECT_EQ(session().ResizeTerminal(kFirst, size, context_).code(), absl::StatusCode::kFailedPrecondition)
      << "it has ended";
}

TEST_P(AgentContractTest, ResizesNothingButTerminals) {
  v1::TerminalSize size;
  size.set_columns(100);
  size.set_rows(50);
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  const absl::Status refused = session().ResizeTerminal(kFirst, size, context_);
  if (!RunsProcesses()) {
    EXPECT_EQ(refused.code(), absl::StatusCode::kUnimplemented) << refused;
    return;
  }
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
  EXPECT_THAT(std::string(refused.message()), ::testing::HasSubstr("no terminal"));
  EXPECT_EQ(session().ResizeTerminal(kSecond, size, context_).code(), absl::StatusCode::kNotFound);
}

TEST_P(AgentContractTest, ClosedInputStaysClosedOverAnotherConnection) {
  if (!RunsProcesses()) return;
  ASSERT_EQ(session().CreateContainer(guest_->Container("c1", guest_->Cat()), context_).status(), absl::OkStatus());
  ASSERT_EQ(Write(kFirst, "all", true), absl::OkStatus());
  ASSERT_EQ(Run("c2", guest_->RunForever()), absl::OkStatus());
  Connect();
  EXPECT_EQ(Write(kFirst, "x", false).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Write({"c2", ""}, "x", false).code(), absl::StatusCode::kFailedPrecondition) << "not interactive";
}

TEST_P(AgentContractTest, ListsTheProcessesOfAContainer) {
  if (!RunsProcesses()) {
    EXPECT_EQ(session().ListProcesses("c1", context_).status().code(), absl::StatusCode::kUnimplemented);
    return;
  }
  EXPECT_EQ(session().ListProcesses("c1", context_).status().code(), absl::StatusCode::kNotFound);
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  ASSERT_EQ(Run("c2", guest_->RunForever()), absl::OkStatus());
  const absl::StatusOr<int32_t> exec = session().Exec(kSecond, guest_->Cat(), context_);
  ASSERT_TRUE(exec.ok()) << exec.status();
  const absl::StatusOr<std::vector<v1::ProcessInfo>> list = session().ListProcesses("c1", context_);
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_EQ(list->size(), 2u);
  for (const v1::ProcessInfo& info : *list) {
    EXPECT_GT(info.pid(), 0);
    EXPECT_EQ(info.user(), "root");
    EXPECT_GE(info.threads(), 1u);
    EXPECT_GT(info.rss_bytes(), 0u);
    EXPECT_EQ(info.process_id(), info.pid() == *exec ? "p1" : "");
    EXPECT_THAT(info.args(0), ::testing::HasSubstr(info.pid() == *exec ? "cat" : "sleep"));
  }
}

TEST_P(AgentContractTest, TellsWhatIsUsed) {
  if (!RunsProcesses()) {
    EXPECT_EQ(session().GetUsage("", context_).status().code(), absl::StatusCode::kUnimplemented);
    return;
  }
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  ASSERT_EQ(Run("c2", guest_->RunForever()), absl::OkStatus());
  const absl::StatusOr<GuestUsage> all = session().GetUsage("", context_);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_GT(all->guest.memory_total_bytes(), all->guest.memory_available_bytes());
  ASSERT_EQ(all->containers.size(), 2u);
  const absl::StatusOr<GuestUsage> one = session().GetUsage("c2", context_);
  ASSERT_TRUE(one.ok()) << one.status();
  ASSERT_EQ(one->containers.size(), 1u);
  EXPECT_EQ(one->containers[0].container_id(), "c2");
  EXPECT_GT(one->containers[0].time().seconds(), 0);
  if (guest_->HasLimits()) {
    EXPECT_GT(one->containers[0].memory_usage_bytes(), 0u);
    EXPECT_EQ(one->containers[0].pids(), 1u);
    EXPECT_EQ(one->containers[0].memory_limit_bytes(), 0u);
  }
  EXPECT_EQ(session().GetUsage("c3", context_).status().code(), absl::StatusCode::kNotFound);
}

TEST_P(AgentContractTest, LimitsHoldFromTheStartAndChangeTogetherOrNotAtAll) {
  if (!RunsProcesses()) return;
  GuestContainerSpec spec = guest_->Container("c1", guest_->RunForever());
  spec.config.mutable_resources()->set_memory_limit_bytes(64 << 20);
  spec.config.mutable_resources()->set_pids_limit(50);
  const absl::Status created = session().CreateContainer(spec, context_).status();
  if (!guest_->HasLimits()) {
    EXPECT_FALSE(created.ok()) << "a limit that cannot be had must not be dropped in silence";
    EXPECT_THAT(std::string(created.message()), ::testing::HasSubstr("controllers"));
    return;
  }
  ASSERT_EQ(created, absl::OkStatus());
  const auto limits = [&] {
    const absl::StatusOr<GuestUsage> usage = session().GetUsage("c1", context_);
    EXPECT_TRUE(usage.ok()) << usage.status();
    return usage.ok() ? std::make_pair(usage->containers[0].memory_limit_bytes(), usage->containers[0].pids_limit())
                      : std::make_pair(uint64_t{0}, uint64_t{0});
  };
  EXPECT_EQ(limits(), std::make_pair(uint64_t{64 << 20}, uint64_t{50}));

  v1::ContainerResources change;
  change.set_pids_limit(-1);
  EXPECT_EQ(session().UpdateResources("c1", change, ChangedResources(spec.config.resources(), change), context_),
            absl::OkStatus());
  EXPECT_EQ(limits(), std::make_pair(uint64_t{64 << 20}, uint64_t{0})) << "what is not named stays";

  change.set_memory_limit_bytes(32 << 20);
  (*change.mutable_unified())["nosuch.limit"] = "1";
  const absl::Status refused =
      session().UpdateResources("c1", change, ChangedResources(spec.config.resources(), change), context_);
  EXPECT_THAT(std::string(refused.message()), ::testing::HasSubstr("nosuch.limit"));
  EXPECT_EQ(limits(), std::make_pair(uint64_t{64 << 20}, uint64_t{0}));
  EXPECT_EQ(session().UpdateResources("c2", {}, {}, context_).code(), absl::StatusCode::kNotFound);
}

TEST_P(AgentContractTest, TellsProcessesApartThatWereEndedForWantOfMemory) {
  if (!RunsProcesses() || guest_->Hog().args().empty()) return;
  session().Observe();
  ASSERT_EQ(Run("c1", guest_->RunForever()), absl::OkStatus());
  ASSERT_TRUE(session().Exec(kSecond, guest_->Hog(), context_).ok());
  const std::optional<v1::ExitStatus> hog = observer_->WaitForExit(kSecond);
  ASSERT_TRUE(hog.has_value());
  EXPECT_EQ(hog->code(), 128 + SIGKILL);
  EXPECT_EQ(hog->signal(), SIGKILL);
  EXPECT_TRUE(hog->oom_killed());
  EXPECT_EQ(observer_->WaitForOutOfMemory("c1"), 1u);
  EXPECT_EQ(session().GetUsage("c1", context_)->containers[0].oom_kills(), 1u);
  ASSERT_EQ(session().Signal(kFirst, SIGKILL, false, context_), absl::OkStatus());
  const std::optional<v1::ExitStatus> killed = observer_->WaitForExit(kFirst);
  ASSERT_TRUE(killed.has_value());
  EXPECT_FALSE(killed->oom_killed());
}

TEST_P(AgentContractTest, GivesSignsOfLifeWhenAsked) {
  EXPECT_EQ(session().SetClock(context_), absl::OkStatus());
  if (!RunsProcesses()) return;
  const uint64_t before = session().signs_of_life();
  session().Ping();
  // Comes behind the ping, and its answer behind that of the ping.
  ASSERT_TRUE(session().GetUsage("", context_).ok());
  EXPECT_GT(session().signs_of_life(), before);
}

// Instantiated where the agents are.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(AgentContractTest);

}  // namespace vcd

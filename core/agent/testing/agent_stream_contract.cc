// SPDX-License-Identifier: Apache-2.0
// What agents promise of output, input and terminals.
#include "core/agent/testing/agent_contract.h"
#include "core/link/link_limits.h"
#include "gmock/gmock.h"

namespace vcd {

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

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
// Processes with a terminal, of a real agent. Needs root.
#include <signal.h>

#include <string>

#include "core/link/link_limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "guest/agent/testing/agent_fixture.h"

namespace vcd::guest {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::vcd::agent::v1::Command;
using ::vcd::agent::v1::ExitInfo;
using ::vcd::agent::v1::Reply;

class AgentTerminalTest : public AgentFixture {
 protected:
  static Command OnTerminal(const std::string& script, bool interactive = true) {
    Command command = Shell(script);
    command.set_terminal(true);
    command.set_interactive(interactive);
    return command;
  }

  // Waits until `text` was printed, by `process` if given.
  void WaitForText(const std::string& text, const std::string& id, const std::string& process = "") {
    while (peer_->Stdout(id, process).find(text) == std::string::npos) {
      peer_->WaitForStdout(peer_->Stdout(id, process).size() + 1, id, process);
    }
  }
};

TEST_F(AgentTerminalTest, IsTheControllingTerminalAndTheConsole) {
  const ExitInfo exit = Run("c1", OnTerminal("tty; stty size; echo $TERM; ls -l $(tty); echo to-console >/dev/console; "
                                             "echo to-tty >/dev/tty; echo err >&2; exit 5"));
  EXPECT_EQ(exit.code(), 5);
  EXPECT_EQ(exit.stderr_end(), 0u);
  const std::string& out = peer_->Stdout("c1");
  EXPECT_THAT(out, StartsWith("/dev/pts/0\r\n24 80\r\nxterm\r\ncrw--w----"));
  EXPECT_THAT(out, EndsWith("to-console\r\nto-tty\r\nerr\r\n"));
}

TEST_F(AgentTerminalTest, TakesSizeAndTermOfTheRequest) {
  Command command = OnTerminal("stty size; echo $TERM");
  command.mutable_terminal_size()->set_columns(132);
  command.mutable_terminal_size()->set_rows(43);
  auto* term = command.add_envs();
  term->set_name("TERM");
  term->set_value("vt100");
  Run("c1", command);
  EXPECT_EQ(peer_->Stdout("c1"), "43 132\r\nvt100\r\n");
}

TEST_F(AgentTerminalTest, BelongsToTheUser) {
  Command command = OnTerminal("ls -ln $(tty); echo mine >$(tty)");
  command.set_user("ann");
  EXPECT_EQ(Run("c1", command).code(), 0);
  EXPECT_THAT(peer_->Stdout("c1"), HasSubstr(" 1000     5 "));
  EXPECT_THAT(peer_->Stdout("c1"), EndsWith("mine\r\n"));
}

TEST_F(AgentTerminalTest, AnExecHasOneOfItsOwn) {
  RunSleeper("c1");
  ASSERT_EQ(Exec("c1", "p1", OnTerminal("tty; cat; echo end")).code(), ErrorCode::ERROR_CODE_OK);
  WaitForText("/dev/pts/0", "c1", "p1");
  ASSERT_EQ(Exec("c1", "p2", OnTerminal("tty; ls /dev/console; exit 3")).code(), ErrorCode::ERROR_CODE_OK);
  EXPECT_NE(peer_->WaitForExit("c1", "p2").code(), 0);
  EXPECT_THAT(peer_->Stdout("c1", "p2"), StartsWith("/dev/pts/1\r\n"));
  SendInput("c1", 0, "typed\n", false, "p1");
  WaitForText("typed\r\ntyped\r\n", "c1", "p1");  // The echo, and cat's.
  SendInput("c1", 6, "", true, "p1");
  EXPECT_EQ(peer_->WaitForExit("c1", "p1").code(), 0);
  EXPECT_THAT(peer_->Stdout("c1", "p1"), EndsWith("end\r\n"));
}

TEST_F(AgentTerminalTest, ResizingTellsTheProcess) {
  ASSERT_EQ(Create("c1", OnTerminal("trap 'stty size; exit 6' WINCH; echo up; while true; do sleep 1000 & wait; done"))
                .code(),
            ErrorCode::ERROR_CODE_OK);
  ASSERT_EQ(Start("c1").code(), ErrorCode::ERROR_CODE_OK);
  WaitForText("up", "c1");
  EXPECT_EQ(Resize("c1", 100, 50).code(), ErrorCode::ERROR_CODE_OK);
  EXPECT_EQ(peer_->WaitForExit("c1").code(), 6);
  EXPECT_EQ(peer_->Stdout("c1"), "up\r\n50 100\r\n");
  EXPECT_EQ(Resize("c1", 100, 50).code(), ErrorCode::ERROR_CODE_WRONG_STATE);
}

TEST_F(AgentTerminalTest, ResizingNeedsATerminal) {
  RunSleeper("c1");
  const Reply reply = Resize("c1", 100, 50);
  EXPECT_EQ(reply.code(), ErrorCode::ERROR_CODE_WRONG_STATE);
  EXPECT_THAT(reply.message(), HasSubstr("no terminal"));
  EXPECT_EQ(Resize("c1", 100, 50, "p9").code(), ErrorCode::ERROR_CODE_NOT_FOUND);
}

TEST_F(AgentTerminalTest, ControlCharactersBecomeSignals) {
  ASSERT_EQ(Create("c1", Shell("sleep 1000")).code(), ErrorCode::ERROR_CODE_OK);
  ASSERT_EQ(Start("c1").code(), ErrorCode::ERROR_CODE_OK);
  ASSERT_EQ(Exec("c1", "p1", OnTerminal("echo up; exec sleep 1000")).code(), ErrorCode::ERROR_CODE_OK);
  WaitForText("up", "c1", "p1");
  SendInput("c1", 0, "\x03", false, "p1");
  const ExitInfo exit = peer_->WaitForExit("c1", "p1");
  EXPECT_EQ(exit.signal(), SIGINT);
  EXPECT_EQ(exit.code(), 128 + SIGINT);
}

TEST_F(AgentTerminalTest, TheEndOfInputAlsoEndsALineThatWasBegun) {
  ASSERT_EQ(Create("c1", OnTerminal("stty -echo; echo up; cat; echo end")).code(), ErrorCode::ERROR_CODE_OK);
  ASSERT_EQ(Start("c1").code(), ErrorCode::ERROR_CODE_OK);
  WaitForText("up", "c1");
  SendInput("c1", 0, "a line\nhalf", true);
  EXPECT_EQ(peer_->WaitForExit("c1").code(), 0);
  EXPECT_EQ(peer_->Stdout("c1"), "up\r\na line\r\nhalfend\r\n");
}

TEST_F(AgentTerminalTest, IsBinarySafeInRawMode) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  ASSERT_EQ(Create("c1", OnTerminal("stty raw -echo; echo up; exec head -c 256")).code(), ErrorCode::ERROR_CODE_OK);
  ASSERT_EQ(Start("c1").code(), ErrorCode::ERROR_CODE_OK);
  WaitForText("up", "c1");
  SendInput("c1", 0, all, false);
  EXPECT_EQ(peer_->WaitForExit("c1").code(), 0);
  EXPECT_EQ(peer_->Stdout("c1"), "up\n" + all);
}

TEST_F(AgentTerminalTest, WithoutInteractiveNothingIsTyped) {
  ASSERT_EQ(Create("c1", OnTerminal("tty; sleep 1000", /*interactive=*/false)).code(), ErrorCode::ERROR_CODE_OK);
  ASSERT_EQ(Start("c1").code(), ErrorCode::ERROR_CODE_OK);
  WaitForText("/dev/pts/0", "c1");
  const auto ack = peer_->Hello();
  ASSERT_EQ(ack.processes_size(), 1);
  EXPECT_TRUE(ack.processes(0).stdin_closed());
}

TEST_F(AgentTerminalTest, GoesOnAfterANewConnection) {
  ASSERT_EQ(Create("c1", OnTerminal("echo up; cat; stty size")).code(), ErrorCode::ERROR_CODE_OK);
  ASSERT_EQ(Start("c1").code(), ErrorCode::ERROR_CODE_OK);
  WaitForText("up", "c1");
  SendInput("c1", 0, "one\n", false);
  WaitForText("one\r\none\r\n", "c1");
  auto ack = peer_->Hello();
  ASSERT_EQ(ack.processes_size(), 1);
  EXPECT_FALSE(ack.processes(0).stdin_closed());
  EXPECT_EQ(ack.processes(0).stdin_received(), 4u);
  EXPECT_EQ(Resize("c1", 90, 30).code(), ErrorCode::ERROR_CODE_OK);
  SendInput("c1", 4, "two\n", true);
  EXPECT_EQ(peer_->WaitForExit("c1").code(), 0);
  EXPECT_THAT(peer_->Stdout("c1"), EndsWith("two\r\n30 90\r\n"));
  ack = peer_->Hello();
  EXPECT_TRUE(ack.processes(0).stdin_closed());
}

TEST_F(AgentTerminalTest, AnExitWaitsForNobodyWhoKeepsTheTerminal) {
  RunSleeper("c1");
  ASSERT_EQ(Exec("c1", "p1", OnTerminal("trap '' HUP; sleep 1000 & echo started")).code(), ErrorCode::ERROR_CODE_OK);
  EXPECT_EQ(peer_->WaitForExit("c1", "p1").code(), 0);
  EXPECT_EQ(peer_->Stdout("c1", "p1"), "started\r\n");
}

TEST_F(AgentTerminalTest, WhoClosesTheTerminalMayOpenItAgain) {
  const ExitInfo exit = Run("c1", OnTerminal("exec 0<&- 1>&- 2>&-; sleep 0.1; echo later >/dev/tty; exit 3"));
  EXPECT_EQ(exit.code(), 3);
  EXPECT_EQ(peer_->Stdout("c1"), "later\r\n");
}

TEST_F(AgentTerminalTest, MuchOutputArrivesWhole) {
  // More than terminal and window hold together, and the last of it just before the exit.
  ASSERT_EQ(
      Create("c1", OnTerminal("stty -opost; i=0; while [ $i -lt 60000 ]; do echo line $i; i=$((i+1)); done")).code(),
      ErrorCode::ERROR_CODE_OK);
  ASSERT_EQ(Start("c1").code(), ErrorCode::ERROR_CODE_OK);
  EXPECT_EQ(peer_->WaitForExit("c1").code(), 0);
  std::string expected;
  for (int i = 0; i < 60000; ++i) expected += "line " + std::to_string(i) + "\n";
  EXPECT_EQ(peer_->Stdout("c1"), expected);
}

}  // namespace
}  // namespace vcd::guest

// SPDX-License-Identifier: Apache-2.0
// The agent runs more processes in a container. As agent_test.cc; needs root.
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/os/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "guest/agent/testing/agent_fixture.h"

namespace vcd::guest {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::vcd::agent::v1::Command;
using ::vcd::agent::v1::HostMessage;
using ::vcd::agent::v1::Reply;

class AgentExecTest : public AgentFixture {};

TEST_F(AgentExecTest, ExecJoinsTheContainer) {
  RunSleeper("c1");
  const Reply reply = Exec("c1", "p1", Shell("hostname; ls /proc | grep -c '^[0-9]'; cat /proc/1/comm; pwd; exit 5"));
  ASSERT_EQ(reply.code(), ErrorCode::ERROR_CODE_OK) << reply.message();
  EXPECT_EQ(peer_->WaitForExit("c1", "p1").code(), 5);
  EXPECT_THAT(peer_->Stdout("c1", "p1"), StartsWith("pod-of-tests\n"));
  EXPECT_THAT(peer_->Stdout("c1", "p1"), HasSubstr("\nsh\n/\n"));

  Command missing;
  missing.add_args("no-such-command");
  EXPECT_EQ(Exec("c1", "p2", missing).code(), ErrorCode::ERROR_CODE_COMMAND_NOT_FOUND);
  missing.set_args(0, "broken");
  EXPECT_EQ(Exec("c1", "p2", missing).code(), ErrorCode::ERROR_CODE_COMMAND_NOT_FOUND);
  Command ann = Shell("id -u");
  ann.set_user("ann");
  ASSERT_EQ(Exec("c1", "p2", ann).code(), ErrorCode::ERROR_CODE_OK) << "failures left the id free";
  EXPECT_EQ(peer_->WaitForExit("c1", "p2").code(), 0);
  EXPECT_EQ(peer_->Stdout("c1", "p2"), "1000\n");

  EXPECT_EQ(Exec("c1", "p1", Shell("true")).code(), ErrorCode::ERROR_CODE_EXISTS);
  EXPECT_EQ(RemoveProcess("c1", "p1").code(), ErrorCode::ERROR_CODE_OK);
  EXPECT_EQ(RemoveProcess("c1", "p1").code(), ErrorCode::ERROR_CODE_NOT_FOUND);
  EXPECT_EQ(RemoveProcess("c1", "").code(), ErrorCode::ERROR_CODE_INVALID);
}

TEST_F(AgentExecTest, AnExecThatCrossesTheEndOfItsContainerHearsOfThat) {
  const Reply created = Create("c1", Shell("sleep 1000"));
  ASSERT_EQ(Start("c1").code(), ErrorCode::ERROR_CODE_OK);
  // It ends while the agent stands still, which then finds the request before it waits for the process.
  ASSERT_EQ(::kill(peer_->pid(), SIGSTOP), 0);
  ASSERT_EQ(::waitpid(peer_->pid(), nullptr, WUNTRACED), peer_->pid());
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, created.pid(), 0)));
  pollfd end{pidfd.get(), POLLIN, 0};
  ASSERT_EQ(::kill(created.pid(), SIGKILL), 0);
  ASSERT_EQ(::poll(&end, 1, 60000), 1);
  HostMessage exec;
  exec.mutable_exec()->set_container_id("c1");
  exec.mutable_exec()->set_process_id("p1");
  *exec.mutable_exec()->mutable_command() = Shell("true");
  const Reply reply = peer_->Call(exec, [this] { ::kill(peer_->pid(), SIGCONT); });
  EXPECT_EQ(reply.code(), ErrorCode::ERROR_CODE_WRONG_STATE);
  EXPECT_EQ(reply.message(), "container \"c1\" does not run");
  EXPECT_EQ(peer_->WaitForExit("c1").signal(), SIGKILL);
}

TEST_F(AgentExecTest, AnExecsExitDoesNotWaitForWhatItLeftBehind) {
  RunSleeper("c1");
  ASSERT_EQ(Exec("c1", "p1", Shell("sleep 1000 & echo started")).code(), ErrorCode::ERROR_CODE_OK);
  EXPECT_EQ(peer_->WaitForExit("c1", "p1").code(), 0);
  EXPECT_EQ(peer_->Stdout("c1", "p1"), "started\n");
}

}  // namespace
}  // namespace vcd::guest

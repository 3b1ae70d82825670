// SPDX-License-Identifier: Apache-2.0
// Programs of a container that run before its own. Needs root.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "core/os/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "guest/agent/testing/agent_fixture.h"

namespace vcd::guest {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::vcd::agent::v1::Command;
using ::vcd::agent::v1::Hook;
using ::vcd::agent::v1::HostMessage;
using ::vcd::agent::v1::Reply;

class AgentHooksTest : public AgentFixture {
 protected:
  // One more hook of the containers that CreateWithHooks makes.
  Hook& Add(const std::string& script, uint32_t timeout_seconds = 60) {
    Hook& hook = hooks_.emplace_back();
    hook.set_path("/bin/sh");
    for (const std::string& arg : {std::string("sh"), std::string("-c"), script, std::string("called")})
      hook.add_args(arg);
    hook.add_envs("PATH=/bin");
    hook.set_timeout_seconds(timeout_seconds);
    return hook;
  }

  Reply CreateWithHooks(const Command& command) {
    HostMessage message;
    auto* create = message.mutable_create_container();
    create->set_container_id("c1");
    create->mutable_rootfs()->set_directory(root_);
    *create->mutable_command() = command;
    create->mutable_linux()->set_hook_state(state_);
    for (const Hook& hook : hooks_) *create->mutable_linux()->add_start_hooks() = hook;
    return peer_->Call(message);
  }

  std::string InRoot(const std::string& path) {
    std::ifstream file(root_ + path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  std::vector<Hook> hooks_;
  std::string state_ = R"({"pid":{pid},"annotations":{"a":"{pid}"}})";
};

TEST_F(AgentHooksTest, TheyRunInTheContainerInOrderBeforeItsProgram) {
  Add("cat >/tmp/state; echo first $0 $$ >>/tmp/order; /bin/env >/tmp/env").add_envs("COLOUR=blue");
  Add("echo second; echo second >>/tmp/order");
  const Reply created = CreateWithHooks(Shell("echo program >>/tmp/order; cat"));
  ASSERT_EQ(created.code(), ErrorCode::ERROR_CODE_OK) << created.message();
  EXPECT_EQ(InRoot("/tmp/order"), "") << "not before the start";
  const Reply started = Start("c1");
  ASSERT_EQ(started.code(), ErrorCode::ERROR_CODE_OK) << started.message();
  EXPECT_EQ(peer_->WaitForExit("c1").code(), 0);
  EXPECT_THAT(InRoot("/tmp/order"), MatchesRegex("first called [0-9]+\nsecond\nprogram\n"));
  EXPECT_EQ(InRoot("/tmp/state"), R"({"pid":1,"annotations":{"a":"{pid}"}})") << "in the container's numbering";
  EXPECT_THAT(InRoot("/tmp/env"), HasSubstr("COLOUR=blue\n"));
  EXPECT_THAT(InRoot("/tmp/env"), Not(HasSubstr("HOME="))) << "the environment is its own alone";
  EXPECT_EQ(peer_->Stdout("c1"), "") << "what hooks say is no output of the container";
}

TEST_F(AgentHooksTest, TheyHaveTheUserOfTheContainer) {
  Add("id -u >/dev/shm/id; cat /dev/shm/id; grep CapEff /proc/self/status; exit 1");
  Command command = Shell("exit 0");
  command.set_user("ann");
  ASSERT_EQ(CreateWithHooks(command).code(), ErrorCode::ERROR_CODE_OK);
  EXPECT_THAT(Start("c1").message(), HasSubstr("it said: 1000\nCapEff:\t0000000000000000"));
}

TEST_F(AgentHooksTest, OneThatFailsEndsTheContainer) {
  Add("echo no such license; exit 3");
  Add("touch /tmp/second");
  ASSERT_EQ(CreateWithHooks(Shell("touch /tmp/program")).code(), ErrorCode::ERROR_CODE_OK);
  const Reply started = Start("c1");
  EXPECT_EQ(started.code(), ErrorCode::ERROR_CODE_HOOK_FAILED);
  EXPECT_EQ(started.message(), "hook start_container (/bin/sh): exited with status 3; it said: no such license");
  EXPECT_EQ(peer_->WaitForExit("c1").code(), 127);
  EXPECT_NE(::access((root_ + "/tmp/second").c_str(), F_OK), 0);
  EXPECT_NE(::access((root_ + "/tmp/program").c_str(), F_OK), 0);
  EXPECT_EQ(Remove("c1").code(), ErrorCode::ERROR_CODE_OK);
}

TEST_F(AgentHooksTest, OneThatIsNotThereEndsTheContainer) {
  Add("").set_path("/bin/nosuch");
  ASSERT_EQ(CreateWithHooks(Shell("exit 0")).code(), ErrorCode::ERROR_CODE_OK);
  const Reply started = Start("c1");
  EXPECT_EQ(started.code(), ErrorCode::ERROR_CODE_HOOK_FAILED);
  EXPECT_THAT(started.message(), HasSubstr("execute \"/bin/nosuch\": No such file or directory"));
}

TEST_F(AgentHooksTest, OneThatDoesNotEndIsKilled) {
  Add("echo waiting; sleep 1000 & wait", 1);
  ASSERT_EQ(CreateWithHooks(Shell("exit 0")).code(), ErrorCode::ERROR_CODE_OK);
  const Reply started = Start("c1");
  EXPECT_EQ(started.code(), ErrorCode::ERROR_CODE_HOOK_FAILED);
  EXPECT_THAT(started.message(), HasSubstr("did not end within 1s, its limit, and was killed"));
  EXPECT_EQ(peer_->WaitForExit("c1").code(), 127);
}

TEST_F(AgentHooksTest, MuchOutputAndUnreadStateAreNoTrouble) {
  state_ = std::string(300000, 'x');
  Add("exec <&-; head -c 8000000 /dev/zero; sleep 1000 & echo the end");
  ASSERT_EQ(CreateWithHooks(Shell("echo fine")).code(), ErrorCode::ERROR_CODE_OK);
  const Reply started = Start("c1");
  ASSERT_EQ(started.code(), ErrorCode::ERROR_CODE_OK) << started.message();
  EXPECT_EQ(peer_->WaitForExit("c1").code(), 0);
  EXPECT_EQ(peer_->Stdout("c1"), "fine\n");
}

TEST_F(AgentHooksTest, AContainerThatIsInItsHooksCanBeRemoved) {
  Add("echo >/tmp/runs; sleep 1000");
  ASSERT_EQ(CreateWithHooks(Shell("exit 0")).code(), ErrorCode::ERROR_CODE_OK);
  ASSERT_EQ(::mkfifo((root_ + "/tmp/runs").c_str(), 0600), 0);
  const UniqueFd fifo(::open((root_ + "/tmp/runs").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  HostMessage start;
  start.set_request_id(4711);
  start.mutable_start_container()->set_container_id("c1");
  peer_->Post(start);
  pollfd runs = {fifo.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&runs, 1, 30'000), 1);
  EXPECT_EQ(Remove("c1").code(), ErrorCode::ERROR_CODE_OK);
}

}  // namespace
}  // namespace vcd::guest

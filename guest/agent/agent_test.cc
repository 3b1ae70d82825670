// SPDX-License-Identifier: Apache-2.0
// The whole agent, as a process on a socket pair: real namespaces and control groups, a root file system of busybox.
// Needs root.
#include <signal.h>

#include <filesystem>
#include <string>

#include "core/link/link_limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "guest/agent/testing/agent_fixture.h"

namespace vcd::guest {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::vcd::agent::v1::Command;
using ::vcd::agent::v1::ExitInfo;
using ::vcd::agent::v1::Hello;
using ::vcd::agent::v1::HostMessage;
using ::vcd::agent::v1::Reply;

class AgentTest : public AgentFixture {};

TEST_F(AgentTest, TellsOutputAndExitCodeApartByStream) {
  const ExitInfo exit = Run("c1", Shell("echo out; echo err >&2; exit 3"));
  EXPECT_EQ(exit.code(), 3);
  EXPECT_EQ(exit.signal(), 0);
  EXPECT_EQ(peer_->Stdout("c1"), "out\n");
  EXPECT_EQ(peer_->Stderr("c1"), "err\n");
  EXPECT_EQ(exit.stdout_end(), 4u);
  EXPECT_EQ(exit.stderr_end(), 4u);
  EXPECT_EQ(Remove("c1").code(), ErrorCode::ERROR_CODE_OK);
  EXPECT_EQ(Remove("c1").code(), ErrorCode::ERROR_CODE_NOT_FOUND);
}

TEST_F(AgentTest, HoldsTheProgramUntilStart) {
  const Reply created = Create("c1", Shell("touch /tmp/ran"));
  ASSERT_EQ(created.code(), ErrorCode::ERROR_CODE_OK) << created.message();
  EXPECT_GT(created.pid(), 0);
  EXPECT_FALSE(peer_->ReadOne(100));
  EXPECT_FALSE(fs::exists(root_ + "/tmp/ran"));
  EXPECT_EQ(Start("c1").code(), ErrorCode::ERROR_CODE_OK);
  EXPECT_EQ(peer_->WaitForExit("c1").code(), 0);
  EXPECT_TRUE(fs::exists(root_ + "/tmp/ran"));
  EXPECT_EQ(Start("c1").code(), ErrorCode::ERROR_CODE_WRONG_STATE);
}

TEST_F(AgentTest, IsolatesTheContainer) {
  Run("c1", Shell("echo pid $$; hostname; ls /; ls /proc/self/fd | wc -l; "
                  "grep CapBnd /proc/self/status; cat /proc/self/cgroup; readlink /proc/self/ns/pid"));
  const std::string& out = peer_->Stdout("c1");
  EXPECT_THAT(out, StartsWith("pid 1\npod-of-tests\nbin\ndev\netc\nproc\nsys\ntmp\n"));
  EXPECT_THAT(out, HasSubstr("\n4\n")) << "0, 1, 2 and the one that ls lists with; all others are leaks";
  EXPECT_THAT(out, HasSubstr("CapBnd:\t00000000a80425fb")) << "the 14 that Docker leaves";
  char self[64] = {};
  ASSERT_GT(::readlink("/proc/self/ns/pid", self, sizeof(self) - 1), 0);
  EXPECT_THAT(out, ::testing::Not(HasSubstr(self)));
}

TEST_F(AgentTest, GivesTheContainerItsDevicesAndMounts) {
  const ExitInfo exit = Run(
      "c1",
      Shell("echo x > /dev/null && head -c 3 /dev/zero | wc -c && head -c 3 /dev/urandom | wc -c && "
            "readlink /dev/stdout && touch /dev/shm/x && echo y > /dev/stdout && "
            "grep -q '^proc /proc ' /proc/mounts && grep -q ' /sys sysfs ro,' /proc/mounts && "
            "grep -q ' /dev/mqueue ' /proc/mounts && grep -q ' /dev/pts ' /proc/mounts && ! touch /proc/sys/kernel/x"));
  EXPECT_EQ(exit.code(), 0) << peer_->Stderr("c1");
  EXPECT_THAT(peer_->Stdout("c1"), HasSubstr("3\n3\n/proc/self/fd/1\ny\n"));
}

TEST_F(AgentTest, ADeviceHasADriverWhereThatIsAskedFor) {
  const auto create = [&](int minor) {
    HostMessage message;
    auto& request = *message.mutable_create_container();
    request.set_container_id("c1");
    request.mutable_rootfs()->set_directory(root_);
    *request.mutable_command() = Shell("test -c /dev/x");
    auto& device = *request.mutable_linux()->add_devices();
    device.set_path("/dev/x");
    device.set_type("c");
    device.set_major(1);
    device.set_minor(minor);
    device.set_needs_driver(true);
    return peer_->Call(message);
  };
  const Reply refused = create(250);
  EXPECT_EQ(refused.code(), ::vcd::agent::v1::ERROR_CODE_SYSTEM);
  EXPECT_THAT(refused.message(), ::testing::AllOf(HasSubstr("/dev/x"), HasSubstr("no driver for the number 1:250")));
  ASSERT_EQ(create(3).message(), "");
  ASSERT_EQ(Start("c1").message(), "");
  EXPECT_EQ(peer_->WaitForExit("c1").code(), 0);
}

TEST_F(AgentTest, AReadOnlyRootStaysAsItIs) {
  const ExitInfo exit = Run("c1", Shell("touch /tmp/x; touch /dev/shm/y && echo fine"), true);
  EXPECT_EQ(exit.code(), 0);
  EXPECT_EQ(peer_->Stdout("c1"), "fine\n");
  EXPECT_THAT(peer_->Stderr("c1"), HasSubstr("Read-only file system"));
  EXPECT_FALSE(fs::exists(root_ + "/proc")) << "mount points are made in memory, not on the host";
  // A writable one is the directory itself.
  EXPECT_EQ(Run("c2", Shell("echo hi > /tmp/x")).code(), 0);
  EXPECT_TRUE(fs::exists(root_ + "/tmp/x"));
}

TEST_F(AgentTest, SetsEnvironmentAndWorkingDirectory) {
  Command command = Shell("pwd; env");
  command.set_work_dir("/made/on/demand");
  auto* env = command.add_envs();
  env->set_name("GREETING");
  env->set_value("hello = world");
  EXPECT_EQ(Run("c1", command).code(), 0);
  EXPECT_THAT(peer_->Stdout("c1"), StartsWith("/made/on/demand\n"));
  EXPECT_THAT(peer_->Stdout("c1"), HasSubstr("GREETING=hello = world\n"));
  EXPECT_THAT(peer_->Stdout("c1"), HasSubstr("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"));
  EXPECT_THAT(peer_->Stdout("c1"), HasSubstr("HOME=/root\n"));
}

TEST_F(AgentTest, RunsAsTheUserOfTheContainersFiles) {
  Command command = Shell("id -u; id -g; id -G; echo $HOME; echo ok > /dev/stderr; grep CapEff /proc/self/status");
  command.set_user("ann");
  command.add_supplementary_groups("video");
  EXPECT_EQ(Run("c1", command).code(), 0);
  EXPECT_EQ(peer_->Stdout("c1"), "1000\n1000\n1000 29 44\n/home/ann\nCapEff:\t0000000000000000\n");
  EXPECT_EQ(peer_->Stderr("c1"), "ok\n");

  command.set_user("12:34");
  EXPECT_EQ(Run("c2", command).code(), 0);
  EXPECT_THAT(peer_->Stdout("c2"), StartsWith("12\n34\n34 44\n/\n"));

  command.set_user("nobody-here");
  const Reply reply = Create("c3", command);
  EXPECT_EQ(reply.code(), ErrorCode::ERROR_CODE_USER_NOT_FOUND);
  EXPECT_THAT(reply.message(), HasSubstr("nobody-here"));
}

TEST_F(AgentTest, TheRequestsCapabilitiesReplaceTheUsual) {
  Command command = Shell("grep -E 'CapBnd|CapEff|NoNewPrivs' /proc/self/status");
  command.mutable_capabilities()->add_bounding("CAP_KILL");
  command.mutable_capabilities()->add_permitted("CAP_KILL");
  command.mutable_capabilities()->add_effective("CAP_KILL");
  command.set_no_new_privileges(true);
  EXPECT_EQ(Run("c1", command).code(), 0);
  EXPECT_EQ(peer_->Stdout("c1"), "CapEff:\t0000000000000020\nCapBnd:\t0000000000000020\nNoNewPrivs:\t1\n");
}

TEST_F(AgentTest, CommandsThatCannotRunAreRefusedAtCreation) {
  Command command;
  command.add_args("no-such-command");
  Reply reply = Create("c1", command);
  EXPECT_EQ(reply.code(), ErrorCode::ERROR_CODE_COMMAND_NOT_FOUND);
  EXPECT_THAT(reply.message(), HasSubstr("no-such-command"));
  command.set_args(0, "/etc/notes");
  EXPECT_EQ(Create("c1", command).code(), ErrorCode::ERROR_CODE_COMMAND_NOT_EXECUTABLE);
  command.clear_args();
  EXPECT_EQ(Create("c1", command).code(), ErrorCode::ERROR_CODE_INVALID);

  command.add_args("broken");
  ASSERT_EQ(Create("c1", command).code(), ErrorCode::ERROR_CODE_OK) << "failures left the id free";
  reply = Start("c1");
  EXPECT_EQ(reply.code(), ErrorCode::ERROR_CODE_COMMAND_NOT_FOUND) << "only execve itself can tell";
  EXPECT_THAT(reply.message(), HasSubstr("broken"));
  EXPECT_EQ(peer_->WaitForExit("c1").code(), 127);
}

TEST_F(AgentTest, BadRequestsAreAnsweredAndHarmNobody) {
  for (const char* id : {"", "../x", "a/b", ".", "-x"}) {
    EXPECT_EQ(Create(id, Shell("true")).code(), ErrorCode::ERROR_CODE_INVALID) << id;
  }
  EXPECT_EQ(Start("nobody").code(), ErrorCode::ERROR_CODE_NOT_FOUND);
  EXPECT_EQ(Exec("nobody", "p", Shell("true")).code(), ErrorCode::ERROR_CODE_NOT_FOUND);
  EXPECT_EQ(Signal("nobody", 9).code(), ErrorCode::ERROR_CODE_NOT_FOUND);
  EXPECT_EQ(RemoveProcess("nobody", "p").code(), ErrorCode::ERROR_CODE_NOT_FOUND);
  EXPECT_EQ(peer_->Call(HostMessage()).code(), ErrorCode::ERROR_CODE_INVALID);
  peer_->PostRaw(std::string("\0\0noise\0", 8) + EncodeFrame("\xff\xff\xff") + std::string(100'000, 'x') + '\0');
  RunSleeper("c1");
  EXPECT_EQ(Create("c1", Shell("true")).code(), ErrorCode::ERROR_CODE_EXISTS);
  EXPECT_EQ(Signal("c1", 0).code(), ErrorCode::ERROR_CODE_INVALID);
  EXPECT_EQ(Signal("c1", 4000).code(), ErrorCode::ERROR_CODE_INVALID);
}

TEST_F(AgentTest, AnAnswerIsNeverBehindMoreOutputThanTheHostLetsBeUnderWay) {
  constexpr size_t kWindow = size_t{64} << 10;
  Hello hello;
  hello.set_output_window(kWindow);
  peer_->Hello(hello);
  const char* const flooders[] = {"c1", "c2", "c3"};
  for (const char* id : flooders) {
    ASSERT_EQ(Create(id, Shell("yes & yes >&2")).code(), ErrorCode::ERROR_CODE_OK);
    ASSERT_EQ(Start(id).code(), ErrorCode::ERROR_CODE_OK);
  }
  const auto received = [&] {
    size_t bytes = 0;
    for (const char* id : flooders) bytes += peer_->Stdout(id).size() + peer_->Stderr(id).size();
    return bytes;
  };
  HostMessage ping;
  ping.mutable_ping();
  size_t confirmed = 0;
  const auto each_had_its_turn = [&] {
    bool each = true;
    for (const char* id : flooders) each = each && !peer_->Stdout(id).empty() && !peer_->Stderr(id).empty();
    return each;
  };
  // A program may take its time to begin; once it writes, no other keeps it from its turn.
  for (int round = 0; round < 20 || !each_had_its_turn(); ++round) {
    ASSERT_LT(round, 10'000) << "a stream never has its turn";
    // Acknowledged, and so without end, but not confirmed: the agent waits, whatever the streams have to say.
    while (received() < confirmed + kWindow) ASSERT_TRUE(peer_->ReadOne(30'000));
    ASSERT_EQ(peer_->Call(ping).code(), ErrorCode::ERROR_CODE_OK);
    ASSERT_LT(received(), confirmed + kWindow + kOutputChunk);
    confirmed = received();
    HostMessage confirmation;
    confirmation.mutable_output_received()->set_bytes(confirmed);
    peer_->Post(confirmation);
  }
  // Lies open no window.
  HostMessage lie;
  lie.mutable_output_received()->set_bytes(uint64_t{1} << 60);
  peer_->Post(lie);
  while (received() < confirmed + kWindow) ASSERT_TRUE(peer_->ReadOne(30'000));
  ASSERT_EQ(peer_->Call(ping).code(), ErrorCode::ERROR_CODE_OK);
  EXPECT_LT(received(), confirmed + 2 * kWindow + 2 * kOutputChunk);
}

TEST_F(AgentTest, ContainersFollowTheHostNameOfTheMachine) {
  Hello hello;
  hello.set_hostname("pod-of-tests");
  peer_->Hello(hello);
  RunSleeper("c1");
  // One without a name says nothing.
  for (const std::string machine : {"restored", "restored-again", "", "other"}) {
    hello.set_hostname(machine);
    peer_->Hello(hello);
    const std::string process = "in-" + machine;
    ASSERT_EQ(Exec("c1", process, Shell("hostname")).code(), ErrorCode::ERROR_CODE_OK);
    EXPECT_EQ(peer_->WaitForExit("c1", process).code(), 0);
    EXPECT_EQ(peer_->Stdout("c1", process), (machine.empty() ? "restored-again" : machine) + "\n");
  }
}

TEST_F(AgentTest, ContainerOfAnotherNameKeepsIt) {
  Hello hello;
  hello.set_hostname("machine");
  peer_->Hello(hello);
  RunSleeper("c1");
  hello.set_hostname("restored");
  peer_->Hello(hello);
  ASSERT_EQ(Exec("c1", "p1", Shell("hostname")).code(), ErrorCode::ERROR_CODE_OK);
  EXPECT_EQ(peer_->WaitForExit("c1", "p1").code(), 0);
  EXPECT_EQ(peer_->Stdout("c1", "p1"), "pod-of-tests\n");
}

TEST_F(AgentTest, SignalsOneOrAll) {
  RunSleeper("c1");
  ASSERT_EQ(Exec("c1", "p1", Shell("trap 'exit 8' USR1; echo up; while true; do sleep 1000 & wait; done")).code(),
            ErrorCode::ERROR_CODE_OK);
  peer_->WaitForStdout(3, "c1", "p1");
  EXPECT_EQ(Signal("c1", SIGUSR1, "p1").code(), ErrorCode::ERROR_CODE_OK);
  EXPECT_EQ(peer_->WaitForExit("c1", "p1").code(), 8);
  EXPECT_EQ(Signal("c1", SIGUSR1, "p1").code(), ErrorCode::ERROR_CODE_WRONG_STATE);

  EXPECT_EQ(Signal("c1", SIGTERM).code(), ErrorCode::ERROR_CODE_OK);
  EXPECT_EQ(peer_->WaitForExit("c1").code(), 7);
  EXPECT_EQ(Exec("c1", "p2", Shell("true")).code(), ErrorCode::ERROR_CODE_WRONG_STATE);

  RunSleeper("c2");
  ASSERT_EQ(Exec("c2", "p1", Shell("echo up; sleep 1000")).code(), ErrorCode::ERROR_CODE_OK);
  peer_->WaitForStdout(3, "c2", "p1");
  EXPECT_EQ(Signal("c2", SIGKILL, "", true).code(), ErrorCode::ERROR_CODE_OK);
  const ExitInfo exit = peer_->WaitForExit("c2");
  EXPECT_EQ(exit.signal(), SIGKILL);
  EXPECT_EQ(exit.code(), 128 + SIGKILL);
  EXPECT_EQ(peer_->WaitForExit("c2", "p1").signal(), SIGKILL);
}

TEST_F(AgentTest, PassesInputInOrderAndAcknowledgesIt) {
  Command command = Shell("cat");
  command.set_interactive(true);
  ASSERT_EQ(Create("c1", command).code(), ErrorCode::ERROR_CODE_OK);
  SendInput("c1", 0, "before the start, ", false);
  ASSERT_EQ(Start("c1").code(), ErrorCode::ERROR_CODE_OK);
  SendInput("c1", 18, "after it", false);
  SendInput("c1", 20, "ter it", false);  // Again, as after a broken connection.
  peer_->WaitForInputAck(26, "c1");
  EXPECT_FALSE(peer_->Hello().processes(0).stdin_closed());
  SendInput("c1", 26, ".", true);
  EXPECT_EQ(peer_->WaitForExit("c1").code(), 0);
  EXPECT_EQ(peer_->Stdout("c1"), "before the start, after it.");
}

TEST_F(AgentTest, InputThatNobodyReadsIsAcknowledgedAllTheSame) {
  Command command = Shell("exec 0<&-; sleep 1000");
  command.set_interactive(true);
  ASSERT_EQ(Create("c1", command).code(), ErrorCode::ERROR_CODE_OK);
  ASSERT_EQ(Start("c1").code(), ErrorCode::ERROR_CODE_OK);
  // More than the pipe holds, so that the agent meets the closed end.
  const std::string block(100'000, 'x');
  SendInput("c1", 0, block, false);
  SendInput("c1", block.size(), block, false);
  peer_->WaitForInputAck(2 * block.size(), "c1");
}

TEST_F(AgentTest, AnotherContainersHeldProcessKeepsNobodysInputOpen) {
  Command command = Shell("cat; echo end");
  command.set_interactive(true);
  ASSERT_EQ(Create("reader", command).code(), ErrorCode::ERROR_CODE_OK);
  ASSERT_EQ(Create("held", Shell("true")).code(), ErrorCode::ERROR_CODE_OK);
  ASSERT_EQ(Start("reader").code(), ErrorCode::ERROR_CODE_OK);
  SendInput("reader", 0, "x", true);
  EXPECT_EQ(peer_->WaitForExit("reader").code(), 0);
  EXPECT_EQ(peer_->Stdout("reader"), "xend\n");
}

TEST_F(AgentTest, WithoutInputAndOutputEverythingIsDevNull) {
  Command command = Shell("cat; echo lost; exit 4");
  command.set_discard_output(true);
  EXPECT_EQ(Run("c1", command).code(), 4);
  EXPECT_EQ(peer_->Stdout("c1"), "");
}

TEST_F(AgentTest, AProcessWaitsWhenItsOutputIsNotTaken) {
  peer_->set_auto_ack(false);
  ASSERT_EQ(Create("c1", Shell("dd if=/dev/zero bs=1000 count=1000 2>/dev/null; echo done >&2")).code(),
            ErrorCode::ERROR_CODE_OK);
  ASSERT_EQ(Start("c1").code(), ErrorCode::ERROR_CODE_OK);
  peer_->WaitForStdout(kOutputWindow, "c1");
  EXPECT_FALSE(peer_->ReadOne(200)) << "the window is full";
  EXPECT_EQ(peer_->Stdout("c1").size(), kOutputWindow);
  HostMessage ping;
  ping.mutable_ping();
  EXPECT_EQ(peer_->Call(ping).code(), ErrorCode::ERROR_CODE_OK) << "requests are not stuck behind output";
  peer_->set_auto_ack(true);
  peer_->AckStdout(kOutputWindow, "c1");
  const ExitInfo exit = peer_->WaitForExit("c1");
  EXPECT_EQ(exit.code(), 0);
  EXPECT_EQ(exit.stdout_end(), 1'000'000u);
  EXPECT_EQ(peer_->Stdout("c1"), std::string(1'000'000, '\0'));
}

TEST_F(AgentTest, AKillIsToldThoughNobodyTakesTheOutput) {
  peer_->set_auto_ack(false);
  ASSERT_EQ(Create("c1", Shell("yes")).code(), ErrorCode::ERROR_CODE_OK);
  ASSERT_EQ(Start("c1").code(), ErrorCode::ERROR_CODE_OK);
  peer_->WaitForStdout(kOutputWindow, "c1");
  EXPECT_EQ(Signal("c1", SIGKILL).code(), ErrorCode::ERROR_CODE_OK);
  const ExitInfo exit = peer_->WaitForExit("c1");  // With all that it wrote.
  EXPECT_EQ(exit.signal(), SIGKILL);
  EXPECT_GE(exit.stdout_end(), kOutputWindow);
  EXPECT_LE(exit.stdout_end(), kMaxFinalOutput);
  EXPECT_EQ(peer_->Stdout("c1").size(), exit.stdout_end());
  // As long as it is not acknowledged it is there for the next connection.
  const auto ack = peer_->Hello();
  ASSERT_EQ(ack.processes_size(), 1);
  EXPECT_EQ(ack.processes(0).stdout_acked(), 0u);
  EXPECT_EQ(peer_->WaitForExit("c1").stdout_end(), exit.stdout_end());
}

TEST_F(AgentTest, ANewConnectionContinuesOutputWhereTheOldWasAcknowledged) {
  peer_->set_auto_ack(false);
  Command command = Shell("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; exit 9");
  ASSERT_EQ(Create("c1", command).code(), ErrorCode::ERROR_CODE_OK);
  ASSERT_EQ(Start("c1").code(), ErrorCode::ERROR_CODE_OK);
  std::string expected;
  for (int i = 0; i < 20000; ++i) expected += "line " + std::to_string(i) + "\n";

  // Each round: take some, acknowledge part of it, break off in the middle of what the agent is sending.
  uint64_t acked = 0;
  while (acked + 20'000 < expected.size()) {
    peer_->WaitForStdout(acked + 15'000, "c1");
    acked += 10'001;
    peer_->AckStdout(acked, "c1");
    const auto ack = peer_->Hello();
    ASSERT_EQ(ack.processes_size(), 1);
    EXPECT_EQ(ack.processes(0).stdout_acked(), acked);
    EXPECT_TRUE(ack.processes(0).started());
  }
  peer_->set_auto_ack(true);
  peer_->AckStdout(acked, "c1");
  EXPECT_EQ(peer_->WaitForExit("c1").code(), 9);
  EXPECT_EQ(peer_->Stdout("c1"), expected);

  // The exit is told on every connection until the container is removed.
  const auto ack = peer_->Hello();
  ASSERT_EQ(ack.processes_size(), 1);
  EXPECT_EQ(ack.processes(0).exit().code(), 9);
  EXPECT_EQ(ack.processes(0).exit().stdout_end(), expected.size());
  EXPECT_EQ(peer_->WaitForExit("c1").code(), 9);
  EXPECT_EQ(Remove("c1").code(), ErrorCode::ERROR_CODE_OK);
  EXPECT_EQ(peer_->Hello().processes_size(), 0);
}

TEST_F(AgentTest, ListsProcessesWithUsersOfTheContainersOwn) {
  // A link that leads out of the root when it is followed from outside.
  fs::rename(root_ + "/etc/passwd", root_ + "/etc/users");
  fs::create_symlink("/etc/users", root_ + "/etc/passwd");
  RunSleeper("c1");
  Command command = Shell("echo up; exec sleep 1001");
  command.set_user("ann");
  ASSERT_EQ(Exec("c1", "p1", command).code(), ErrorCode::ERROR_CODE_OK);
  peer_->WaitForStdout(3, "c1", "p1");
  HostMessage message;
  message.mutable_list_processes()->set_container_id("c1");
  // The shell, the exec, and the shell's sleep, which may not have begun yet.
  Reply reply;
  do {
    reply = peer_->Call(message);
    ASSERT_EQ(reply.code(), ErrorCode::ERROR_CODE_OK) << reply.message();
  } while (reply.process_list().processes_size() < 3);
  bool found = false;
  for (const auto& entry : reply.process_list().processes()) {
    EXPECT_GT(entry.container_pid(), 0);
    EXPECT_LT(entry.container_pid(), 100) << "of its own namespace";
    EXPECT_EQ(entry.user(), entry.process_id() == "p1" ? "ann" : "root");
    if (entry.process_id() != "p1") continue;
    found = true;
    EXPECT_EQ(entry.uid(), 1000u);
  }
  EXPECT_TRUE(found);
  EXPECT_EQ(Remove("c1").code(), ErrorCode::ERROR_CODE_OK);
  EXPECT_EQ(peer_->Call(message).code(), ErrorCode::ERROR_CODE_NOT_FOUND);
}

TEST_F(AgentTest, ALimitThatTheMachineCannotKeepIsAnError) {
  HostMessage message;
  auto* create = message.mutable_create_container();
  create->set_container_id("c1");
  create->mutable_rootfs()->set_directory(root_);
  *create->mutable_command() = Shell("true");
  auto* file = create->mutable_resources()->add_files();
  file->set_name("nosuch.max");
  file->set_value("1");
  const Reply reply = peer_->Call(message);
  EXPECT_EQ(reply.code(), ErrorCode::ERROR_CODE_SYSTEM);
  EXPECT_THAT(reply.message(), HasSubstr("nosuch.max"));
  // Nothing stays behind of it.
  EXPECT_EQ(Create("c1", Shell("true")).code(), ErrorCode::ERROR_CODE_OK);
  EXPECT_EQ(Remove("c1").code(), ErrorCode::ERROR_CODE_OK);
}

TEST_F(AgentTest, RemovalKillsAndFreesTheName) {
  for (int round = 0; round < 3; ++round) {
    RunSleeper("c1");
    ASSERT_EQ(Exec("c1", "p1", Shell("sleep 1000")).code(), ErrorCode::ERROR_CODE_OK);
    EXPECT_EQ(Remove("c1").code(), ErrorCode::ERROR_CODE_OK);
  }
  ASSERT_EQ(Create("held", Shell("true")).code(), ErrorCode::ERROR_CODE_OK);
  EXPECT_EQ(Remove("held").code(), ErrorCode::ERROR_CODE_OK);
}

TEST_F(AgentTest, ShutdownEndsEverythingAndThenTheAgent) {
  RunSleeper("c1");
  RunSleeper("c2");
  HostMessage shutdown;
  shutdown.mutable_shutdown();
  EXPECT_EQ(peer_->Call(shutdown).code(), ErrorCode::ERROR_CODE_OK);
  EXPECT_EQ(peer_->WaitForAgent(), 0);
}

TEST_F(AgentTest, AnAgentOfATestRefusesDisksAndShares) {
  HostMessage message;
  message.mutable_create_container()->set_container_id("c1");
  *message.mutable_create_container()->mutable_command() = Shell("true");
  message.mutable_create_container()->mutable_rootfs()->mutable_virtiofs()->set_tag("root");
  EXPECT_EQ(peer_->Call(message).code(), ErrorCode::ERROR_CODE_INVALID);
  message.mutable_create_container()->mutable_rootfs()->mutable_scsi_lun()->set_lun(1);
  EXPECT_EQ(peer_->Call(message).code(), ErrorCode::ERROR_CODE_INVALID);
}

}  // namespace
}  // namespace vcd::guest

// SPDX-License-Identifier: Apache-2.0
#include "core/os/supervised_process.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "absl/time/clock.h"
#include "core/os/completion.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::HasSubstr;

CallContext Soon() { return {absl::Now() + absl::Seconds(30), nullptr}; }

LaunchSpec Shell(const std::string& script) {
  return {.argv = {"/bin/sh", "-c", script}, .env = {"PATH=/usr/bin:/bin"}};
}

TEST(LaunchProcessTest, MissingProgramIsToldByTheCall) {
  const absl::Status status = LaunchProcess({.argv = {"/nonexistent/qemu"}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nonexistent/qemu"));
}

TEST(LaunchProcessTest, ChildHasTheDescriptorsNamedAndNoOther) {
  IoThread io;
  int out[2], extra[2];
  ASSERT_EQ(pipe2(out, O_CLOEXEC), 0);
  ASSERT_EQ(pipe(extra), 0);  // Not close-on-exec: must not leak all the same.
  UniqueFd out_read(out[0]), out_write(out[1]), extra_read(extra[0]), extra_write(extra[1]);
  LaunchSpec spec = Shell("cd /proc/self/fd; echo *; echo named >&3");
  // The two wanted numbers are swapped with respect to what may be their own sources.
  spec.descriptors = {{out_write.get(), 3}, {extra_read.get(), 4}};
  spec.stdout_fd = out_write.get();
  auto process = SupervisedProcess::Watch(io, *LaunchProcess(spec));
  ASSERT_TRUE(process->WaitExit(Soon()).ok());
  out_write.Reset();
  std::string text(256, '\0');
  const ssize_t got = read(out_read.get(), text.data(), text.size());
  ASSERT_GT(got, 0);
  text.resize(got);
  // The shell itself holds one more while it lists the directory.
  EXPECT_THAT(text, testing::AnyOf("0 1 2 3 4\nnamed\n", "0 1 2 3 4 5\nnamed\n"));
}

TEST(LaunchProcessTest, ChildBecomesAnotherUserWithoutPrivileges) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  IoThread io;
  int out[2];
  ASSERT_EQ(pipe2(out, O_CLOEXEC), 0);
  UniqueFd out_read(out[0]), out_write(out[1]);
  LaunchSpec spec =
      Shell("id -u; id -G; grep -E '^(CapEff|CapPrm|NoNewPrivs)' /proc/self/status; readlink /proc/self/ns/uts");
  spec.user_id = 1879048192;
  spec.no_new_privileges = true;
  spec.unshare_flags = CLONE_NEWUTS;
  spec.stdout_fd = out_write.get();
  auto process = SupervisedProcess::Watch(io, *LaunchProcess(spec));
  ASSERT_TRUE(process->WaitExit(Soon()).ok());
  out_write.Reset();
  std::string text(512, '\0');
  const ssize_t got = read(out_read.get(), text.data(), text.size());
  ASSERT_GT(got, 0);
  text.resize(got);
  EXPECT_THAT(text, testing::StartsWith("1879048192\n1879048192\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
                                        "NoNewPrivs:\t1\nuts:["));
  char own[64] = {};
  ASSERT_GT(readlink("/proc/self/ns/uts", own, sizeof(own) - 1), 0);
  EXPECT_THAT(text, testing::Not(HasSubstr(own)));
}

TEST(LaunchProcessTest, ControlGroupThatCannotBeJoinedIsToldByTheCall) {
  UniqueFd not_writable(open("/dev/null", O_RDONLY | O_CLOEXEC));
  LaunchSpec spec = Shell("exit 0");
  spec.cgroup_fds = {not_writable.get()};
  EXPECT_FALSE(LaunchProcess(spec).ok());
}

TEST(SupervisedProcessTest, TellsExitStatusAndSignal) {
  IoThread io;
  auto exits = SupervisedProcess::Watch(io, *LaunchProcess(Shell("exit 3")));
  ASSERT_TRUE(exits->WaitExit(Soon()).ok());
  EXPECT_EQ(exits->exit_description(), "exited with status 3");
  auto killed = SupervisedProcess::Watch(io, *LaunchProcess(Shell("kill -9 $$")));
  ASSERT_TRUE(killed->WaitExit(Soon()).ok());
  EXPECT_THAT(killed->exit_description(), HasSubstr("killed by signal 9"));
}

TEST(SupervisedProcessTest, LateCallbackRunsOnTheIoThread) {
  IoThread io;
  auto process = SupervisedProcess::Watch(io, *LaunchProcess(Shell("exit 0")));
  ASSERT_TRUE(process->WaitExit(Soon()).ok());
  Completion<bool> on_thread;
  process->OnExit([&](const std::string&) { on_thread.Set(io.OnThread()); });
  EXPECT_TRUE(*on_thread.Wait(Soon(), "callback"));
}

TEST(SupervisedProcessTest, DeafProcessIsKilled) {
  IoThread io;
  int ready[2];
  ASSERT_EQ(pipe2(ready, O_CLOEXEC), 0);
  UniqueFd ready_read(ready[0]), ready_write(ready[1]);
  LaunchSpec spec = Shell("trap '' TERM; echo; while :; do read x; done");
  spec.stdout_fd = ready_write.get();
  auto process = SupervisedProcess::Watch(io, *LaunchProcess(spec));
  char byte;
  ASSERT_EQ(read(ready_read.get(), &byte, 1), 1);
  EXPECT_TRUE(process->Terminate(absl::Milliseconds(10)).ok());
  EXPECT_THAT(process->exit_description(), HasSubstr("signal 9"));
}

TEST(SupervisedProcessTest, AdoptsARunningProcessAndNoOther) {
  IoThread io;
  auto child = SupervisedProcess::Watch(io, *LaunchProcess({.argv = {"/bin/sleep", "1000"}}));
  ProcessIdentity identity = child->identity();
  auto adopted = SupervisedProcess::Adopt(io, identity);
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  identity.start_time_ticks += 1;
  EXPECT_EQ(SupervisedProcess::Adopt(io, identity).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE((*adopted)->Signal(SIGKILL).ok());
  EXPECT_TRUE((*adopted)->WaitExit(Soon()).ok());
  EXPECT_TRUE(child->WaitExit(Soon()).ok());
  EXPECT_EQ(SupervisedProcess::Adopt(io, child->identity()).status().code(), absl::StatusCode::kNotFound);
}

TEST(SupervisedProcessTest, DestructionLeavesTheProcessRunning) {
  IoThread io;
  auto process = SupervisedProcess::Watch(io, *LaunchProcess({.argv = {"/bin/sleep", "1000"}}));
  const ProcessIdentity identity = process->identity();
  process.reset();
  auto again = SupervisedProcess::Adopt(io, identity);
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE((*again)->Signal(SIGKILL).ok());
}

TEST(FindProcessesTest, FindsByPartOfTheCommandLine) {
  IoThread io;
  const std::string marker = "/tmp/vcd-marker-7b1f";
  auto process =
      SupervisedProcess::Watch(io, *LaunchProcess({.argv = {"/bin/sh", "-c", "read x; sleep 1000", marker + "/ctl"}}));
  (void)process->Signal(SIGSTOP);
  EXPECT_THAT(FindProcesses(marker), testing::Contains(process->identity()));
  EXPECT_TRUE(process->Terminate(absl::ZeroDuration()).ok());
  EXPECT_THAT(FindProcesses(marker), testing::Not(testing::Contains(process->identity())));
}

}  // namespace
}  // namespace vcd

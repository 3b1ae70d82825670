// SPDX-License-Identifier: Apache-2.0
#include "core/os/program_run.h"

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "core/os/testing/temporary_directory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::HasSubstr;

CallContext Soon() { return {absl::Now() + absl::Seconds(60), nullptr}; }

ProgramRun Shell(const std::string& script) {
  ProgramRun run;
  run.launch.argv = {"/bin/sh", "-c", script};
  run.launch.env = {"PATH=/usr/bin:/bin"};
  return run;
}

// The pid that a script has written to a pipe with a name; waits for it.
pid_t PidFrom(const std::string& fifo) {
  std::string line;
  std::ifstream file(fifo);
  std::getline(file, line);
  pid_t pid = 0;
  EXPECT_TRUE(absl::SimpleAtoi(line, &pid)) << line;
  return pid;
}

TEST(RunProgramTest, InputGoesInAndBothOutputsComeOut) {
  ProgramRun run = Shell("cat; echo worse >&2; exit 3");
  run.input = std::string(300000, 'x');
  const absl::StatusOr<ProgramEnd> end = RunProgram(run, Soon());
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end->output, run.input);
  EXPECT_EQ(end->errors, "worse\n");
  EXPECT_FALSE(end->output_cut);
  EXPECT_FALSE(end->success());
  EXPECT_EQ(end->Description(), "exited with status 3");
}

TEST(RunProgramTest, InputThatNobodyReadsIsNoError) {
  ProgramRun run = Shell("exit 0");
  run.input = std::string(300000, 'x');
  EXPECT_TRUE(RunProgram(run, Soon())->success());
}

TEST(RunProgramTest, WithoutInputThereIsAnEmptyOne) { EXPECT_EQ(RunProgram(Shell("wc -c"), Soon())->output, "0\n"); }

TEST(RunProgramTest, OutputIsBoundedAndTheProgramRunsOn) {
  ProgramRun run = Shell("head -c 3000000 /dev/zero; echo done >&2");
  run.max_output_bytes = 1000;
  const absl::StatusOr<ProgramEnd> end = RunProgram(run, Soon());
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end->output.size(), 1000);
  EXPECT_TRUE(end->output_cut);
  EXPECT_TRUE(end->success());
  EXPECT_EQ(end->errors, "done\n");
}

TEST(RunProgramTest, TheEndOfTheOutputMayBeKept) {
  ProgramRun run = Shell("head -c 3000000 /dev/zero; echo no such bridge >&2; exit 1");
  run.max_output_bytes = 1000;
  run.join_errors = true;
  run.keep_end = true;
  const absl::StatusOr<ProgramEnd> end = RunProgram(run, Soon());
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end->output, std::string(1000 - 15, '\0') + "no such bridge\n");
  EXPECT_TRUE(end->output_cut);
}

TEST(RunProgramTest, TheProgramMayBeCalledOtherwise) {
  ProgramRun run;
  run.launch.program = "/bin/sh";
  run.launch.argv = {"called", "-c", "echo $0"};
  EXPECT_EQ(RunProgram(run, Soon())->output, "called\n");
}

TEST(RunProgramTest, ErrorsMayGoWhereTheOutputGoes) {
  ProgramRun run = Shell("echo one; echo two >&2; echo three");
  run.join_errors = true;
  const absl::StatusOr<ProgramEnd> end = RunProgram(run, Soon());
  EXPECT_EQ(end->output, "one\ntwo\nthree\n");
  EXPECT_EQ(end->errors, "");
}

TEST(RunProgramTest, ASignalIsTold) {
  const absl::StatusOr<ProgramEnd> end = RunProgram(Shell("kill -9 $$"), Soon());
  EXPECT_FALSE(end->success());
  EXPECT_EQ(end->Description(), "killed by signal 9 (Killed)");
}

TEST(RunProgramTest, MissingProgramIsAnErrorOfTheCall) {
  ProgramRun run;
  run.launch.argv = {"/nonexistent/bridge"};
  const absl::Status status = RunProgram(run, Soon()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nonexistent/bridge"));
}

TEST(RunProgramTest, TheDeadlineEndsIt) {
  // However busy the machine is, it says something or nothing by then, and has no end.
  const absl::Status status =
      RunProgram(Shell("echo still here; exec sleep 1000"), {absl::Now() + absl::Seconds(1), nullptr}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(status.message()), HasSubstr("run /bin/sh: deadline passed; it said"));
}

TEST(RunProgramTest, CancellationKillsTheWholeGroup) {
  TemporaryDirectory directory;
  const std::string fifo = directory.path() + "/pid";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  Cancellation cancellation;
  absl::Status status;
  // The shell waits for a child that holds on to the output.
  const ProgramRun run = Shell("sleep 1000 & echo $! >" + fifo + "; wait");
  std::thread caller([&] { status = RunProgram(run, {absl::InfiniteFuture(), &cancellation}).status(); });
  const absl::StatusOr<ProcessIdentity> child = IdentifyProcess(PidFrom(fifo));
  ASSERT_TRUE(child.ok()) << child.status();
  const absl::StatusOr<UniqueFd> pidfd = OpenPidfd(*child);
  cancellation.Cancel(absl::AbortedError("forced"));
  caller.join();
  EXPECT_EQ(status, absl::AbortedError("forced"));
  ASSERT_TRUE(pidfd.ok()) << pidfd.status();
  pollfd ended = {pidfd->get(), POLLIN, 0};
  EXPECT_EQ(poll(&ended, 1, 60000), 1);
}

TEST(RunProgramTest, NothingRunsWhenTheContextHasEnded) {
  TemporaryDirectory directory;
  const absl::Status status =
      RunProgram(Shell("touch " + directory.path() + "/ran"), {absl::InfinitePast(), nullptr}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(RunProgramTest, WhatItLeavesBehindIsNotWaitedFor) {
  TemporaryDirectory directory;
  const absl::StatusOr<ProgramEnd> end = RunProgram(Shell("sleep 1000 & echo $!"), Soon());
  ASSERT_TRUE(end.ok()) << end.status();
  pid_t child = 0;
  ASSERT_TRUE(absl::SimpleAtoi(end->output, &child)) << end->output;
  EXPECT_TRUE(IdentifyProcess(child).ok());
  EXPECT_EQ(kill(child, SIGKILL), 0);
}

}  // namespace
}  // namespace vcd

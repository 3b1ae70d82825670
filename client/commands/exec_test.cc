// SPDX-License-Identifier: Apache-2.0
#include <signal.h>

#include <string>

#include "client/testing/pods.h"
#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class ExecCommandTest : public testing::Test {
 protected:
  ExecCommandTest() {
    v1::Pod pod;
    pod.set_id("web");
    pod.set_state(v1::POD_STATE_RUNNING);
    pod.add_containers()->set_id("app");
    server_.AddPod(pod);
  }
  FakeServer server_;
};

TEST_F(ExecCommandTest, RunsInTheOnlyContainerAndEndsWithItsCode) {
  FakeProcess process;
  process.output = {{v1::OUTPUT_STREAM_STDOUT, "out"}, {v1::OUTPUT_STREAM_STDERR, "err"}};
  process.exit_status.set_code(7);
  server_.SetProcess(process);
  const RunResult result =
      RunVc(server_, {"exec", "-e", "A=b", "-w", "/tmp", "-u", "1000:1000", "web", "--", "ls", "-l", "--", "x"});
  EXPECT_EQ(result.exit_status, 7);
  EXPECT_EQ(result.out, "out");
  EXPECT_EQ(result.err, "err");
  EXPECT_EQ(server_.last_exec().ShortDebugString(),
            "pod_id: \"web\" container_id: \"app\" cmd { args: \"ls\" args: \"-l\" args: \"--\" args: \"x\" "
            "envs { name: \"A\" value: \"b\" } user: \"1000\" primary_group: \"1000\" work_dir: \"/tmp\" }");
  EXPECT_THAT(server_.calls(),
              ElementsAre("GetPod pod_id: \"web\"", StartsWith("Exec "),
                          "Attach pod_id: \"web\" container_id: \"app\" process_id: \"exec-1\" from_start: true"));
}

TEST_F(ExecCommandTest, NarrowsWhatTheCommandMayDo) {
  EXPECT_EQ(RunVc(server_, {"exec", "--group-add", "7", "--ulimit", "core=0", "--umask", "0", "--oom-score-adj", "1000",
                            "--no-new-privileges", "web", "--", "x"})
                .exit_status,
            0);
  EXPECT_EQ(server_.last_exec().cmd().ShortDebugString(),
            "args: \"x\" supplementary_groups: \"7\" no_new_privileges: true rlimits { type: \"RLIMIT_CORE\" } "
            "oom_score_adj: 1000 umask: 0");
}

TEST_F(ExecCommandTest, TakesACommandWithoutTheDashes) {
  EXPECT_EQ(RunVc(server_, {"exec", "-c", "app", "web", "ls", "-c", "y"}).exit_status, 0);
  EXPECT_THAT(server_.last_exec().cmd().args(), ElementsAre("ls", "-c", "y"));
  EXPECT_THAT(server_.calls(), ElementsAre(StartsWith("Exec "), StartsWith("Attach ")));
}

TEST_F(ExecCommandTest, PassesInputOn) {
  FakeProcess process;
  process.echoes_stdin = true;
  server_.SetProcess(process);
  RunOptions options;
  options.stdin_text = "hello\n";
  EXPECT_EQ(RunVc(server_, {"exec", "-i", "web", "--", "cat"}, options).out, "hello\n");
  EXPECT_TRUE(server_.last_exec().cmd().interactive());
}

TEST_F(ExecCommandTest, EndsThoughItsInputStaysOpen) {
  FakeProcess process;
  process.exit_status.set_code(2);
  server_.SetProcess(process);
  RunOptions options;
  options.stdin_text = std::string(8 << 20, 'x');  // More than the process ever takes.
  EXPECT_EQ(RunVc(server_, {"exec", "-i", "web", "--", "true"}, options).exit_status, 2);
}

TEST_F(ExecCommandTest, DetachedPrintsTheProcess) {
  const RunResult result = RunVc(server_, {"exec", "-d", "web", "--", "sleep", "9"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(result.out, "exec-1\n");
  EXPECT_TRUE(server_.last_exec().cmd().detach());
}

TEST_F(ExecCommandTest, DetachedWithATerminalIsThereToBeAttachedTo) {
  const RunResult result = RunVc(server_, {"exec", "-d", "-i", "-t", "web", "--", "sh"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(result.out, "exec-1\n");
  EXPECT_EQ(server_.last_exec().cmd().ShortDebugString(), "args: \"sh\" terminal: true interactive: true");
}

TEST_F(ExecCommandTest, ForwardsTheSignalToTheProcess) {
  FakeProcess process;
  process.waits_for_signal = true;
  server_.SetProcess(process);
  FakeSignals signals;
  server_.OnCall("Attach", [&] { signals.Send(SIGTERM); });
  RunOptions options;
  options.signals = &signals;
  EXPECT_EQ(RunVc(server_, {"exec", "web", "--", "sleep", "9"}, options).exit_status, 143);
  EXPECT_THAT(server_.calls(),
              Contains("Signal pod_id: \"web\" container_id: \"app\" process_id: \"exec-1\" signal: 15"));
}

TEST_F(ExecCommandTest, TellsWhatWantOfMemoryEnded) {
  FakeProcess process;
  process.exit_status.set_code(137);
  process.exit_status.set_signal(9);
  process.exit_status.set_oom_killed(true);
  server_.SetProcess(process);
  v1::Pod pod = PodOf("web", v1::POD_STATE_RUNNING, {"app"});
  pod.mutable_containers(0)->mutable_config()->mutable_resources()->set_memory_limit_bytes(64 << 20);
  server_.AddPod(pod);
  const RunResult result = RunVc(server_, {"exec", "web", "--", "hog"});
  EXPECT_EQ(result.exit_status, 137);
  EXPECT_EQ(result.err,
            "vc: exec web: process exec-1 was ended for want of memory (limit 64.0MiB); \"vc update --memory SIZE -c "
            "app web\" raises the container's\n");
}

TEST_F(ExecCommandTest, EndsWhenInterruptedBeforeItBegan) {
  FakeSignals signals;
  server_.Hang("Exec");
  server_.OnCall("Exec", [&] { signals.Send(SIGINT); });
  RunOptions options;
  options.signals = &signals;
  EXPECT_EQ(RunVc(server_, {"exec", "web", "--", "x"}, options).exit_status, 130);
}

TEST_F(ExecCommandTest, SaysHowTheCommandCouldNotRun) {
  server_.Fail("Exec", DaemonError(grpc::StatusCode::NOT_FOUND, "COMMAND_NOT_FOUND", "exec \"x\": not found"));
  const RunResult result = RunVc(server_, {"exec", "web", "--", "x"});
  EXPECT_EQ(result.exit_status, 127);
  EXPECT_EQ(result.err, "vc: exec web: exec \"x\": not found\n");
  EXPECT_EQ(RunVc(server_, {"exec", "db", "--", "x"}).exit_status, 125);
}

TEST_F(ExecCommandTest, RefusesWhatItCannotUnderstand) {
  EXPECT_THAT(RunVc(server_, {"exec", "web"}).err, HasSubstr("a command is needed"));
  EXPECT_EQ(RunVc(server_, {"exec", "-i", "-d", "web", "--", "x"}).exit_status, 125);
  EXPECT_EQ(RunVc(server_, {"exec"}).exit_status, 125);
  EXPECT_THAT(server_.calls(), IsEmpty());
}

}  // namespace
}  // namespace vcd::client

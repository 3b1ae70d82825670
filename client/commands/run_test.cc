// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "client/posix/unique_fd.h"
#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class RunCommandTest : public testing::Test {
 protected:
  static FakeProcess Exits(int code) {
    FakeProcess process;
    process.exit_status.set_code(code);
    return process;
  }
  static FakeProcess WaitsForSignal() {
    FakeProcess process;
    process.waits_for_signal = true;
    return process;
  }

  FakeServer server_;
  FakeSignals signals_;
};

TEST_F(RunCommandTest, AttachesBeforeItStartsAndEndsWithTheCommandsCode) {
  FakeProcess process = Exits(3);
  process.output = {{v1::OUTPUT_STREAM_STDOUT, "out\n"},
                    {v1::OUTPUT_STREAM_STDERR, "err\n"},
                    {v1::OUTPUT_STREAM_STDOUT, std::string("\0\xff", 2)}};
  server_.SetProcess(process);
  const RunResult result = RunVc(server_, {"run", "--id", "web", "--", "cmd"});
  EXPECT_EQ(result.exit_status, 3);
  EXPECT_EQ(result.out, "out\n" + std::string("\0\xff", 2));
  EXPECT_EQ(result.err, "err\n");
  EXPECT_THAT(server_.calls(),
              ElementsAre(StartsWith("CreatePod "), "Attach pod_id: \"web\" container_id: \"main\" from_start: true",
                          "StartPod pod_id: \"web\""));
  EXPECT_THAT(server_.pod_ids(), ElementsAre("web"));
}

TEST_F(RunCommandTest, EndsWithTheSignalThatEndedTheCommand) {
  FakeProcess process = Exits(0);
  process.exit_status.set_signal(SIGSEGV);
  server_.SetProcess(process);
  EXPECT_EQ(RunVc(server_, {"run", "--", "cmd"}).exit_status, 128 + SIGSEGV);
}

TEST_F(RunCommandTest, TellsWhatWantOfMemoryEndedBeforeThePodGoes) {
  FakeProcess process = Exits(137);
  process.exit_status.set_oom_killed(true);
  server_.SetProcess(process);
  const RunResult result = RunVc(server_, {"run", "--rm", "--id", "web", "--", "cmd"});
  EXPECT_EQ(result.exit_status, 137);
  EXPECT_THAT(result.err, HasSubstr("vc: run web: container main was ended for want of memory"));
  EXPECT_THAT(server_.pod_ids(), IsEmpty());
}

TEST_F(RunCommandTest, DeletesThePodWithRm) {
  server_.SetProcess(Exits(5));
  EXPECT_EQ(RunVc(server_, {"run", "--rm", "--id", "web", "--", "cmd"}).exit_status, 5);
  EXPECT_THAT(server_.pod_ids(), IsEmpty());
  EXPECT_THAT(server_.calls(), Contains("DeletePod pod_id: \"web\" force: true"));
}

TEST_F(RunCommandTest, LosesNoOutput) {
  std::string all;
  FakeProcess process;
  for (int i = 0; i < 300; ++i) {
    process.output.emplace_back(v1::OUTPUT_STREAM_STDOUT, std::string(50000, static_cast<char>('a' + i % 26)));
    all += process.output.back().second;
  }
  server_.SetProcess(process);
  const RunResult result = RunVc(server_, {"run", "--rm", "--", "cmd"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_TRUE(result.out == all) << result.out.size();
}

TEST_F(RunCommandTest, PassesStandardInputOnAndClosesIt) {
  FakeProcess process;
  process.echoes_stdin = true;
  server_.SetProcess(process);
  RunOptions options;
  options.stdin_text = std::string(1 << 20, 'i') + "end\n";
  const RunResult result = RunVc(server_, {"run", "--rm", "-i", "--", "cat"}, options);
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_TRUE(result.out == options.stdin_text) << result.out.size();
  EXPECT_TRUE(server_.last_config().containers(0).cmd().interactive());
}

TEST_F(RunCommandTest, ReadsNoInputUnlessAsked) {
  RunOptions options;
  options.stdin_text = "for somebody else\n";
  server_.SetProcess(Exits(0));
  EXPECT_EQ(RunVc(server_, {"run", "--rm", "--", "cmd"}, options).exit_status, 0);
  EXPECT_THAT(server_.stdin_bytes(), IsEmpty());
  EXPECT_FALSE(server_.last_config().containers(0).cmd().interactive());
}

TEST_F(RunCommandTest, SaysHowTheCommandCouldNotRun) {
  server_.Fail("StartPod", DaemonError(grpc::StatusCode::NOT_FOUND, "COMMAND_NOT_FOUND", "exec \"cmd\": not found"));
  const RunResult missing = RunVc(server_, {"run", "--rm", "--id", "web", "--", "cmd"});
  EXPECT_EQ(missing.exit_status, 127);
  EXPECT_EQ(missing.err, "vc: run web: exec \"cmd\": not found\n");
  EXPECT_THAT(server_.pod_ids(), IsEmpty());
  server_.Fail("StartPod",
               DaemonError(grpc::StatusCode::PERMISSION_DENIED, "COMMAND_NOT_EXECUTABLE", "not executable"));
  EXPECT_EQ(RunVc(server_, {"run", "--rm", "--", "cmd"}).exit_status, 126);
  EXPECT_THAT(server_.pod_ids(), IsEmpty());
}

TEST_F(RunCommandTest, UsageErrorsEndWith125) {
  const RunResult result = RunVc(server_, {"run", "--rootfs", "/no/such", "--", "cmd"});
  EXPECT_EQ(result.exit_status, 125);
  EXPECT_THAT(result.err, HasSubstr("vc: run: --rootfs /no/such: No such file or directory"));
  EXPECT_EQ(RunVc(server_, {"run"}).exit_status, 125);
  EXPECT_EQ(RunVc(server_, {"run", "--rm", "-d", "--", "cmd"}).exit_status, 125);
  EXPECT_EQ(RunVc(server_, {"run", "-i", "-f", "-"}, {"{\"containers\":[{\"cmd\":{\"args\":[\"x\"]}}]}"}).exit_status,
            125);
  EXPECT_THAT(server_.calls(), IsEmpty());
}

TEST_F(RunCommandTest, LeavesAPodAloneThatHadTheIdBefore) {
  v1::Pod pod;
  pod.set_id("web");
  server_.AddPod(pod);
  const RunResult result = RunVc(server_, {"run", "--rm", "--id", "web", "--", "cmd"});
  EXPECT_EQ(result.exit_status, 125);
  EXPECT_EQ(result.err, "vc: run web: pod \"web\" exists\n");
  EXPECT_THAT(server_.pod_ids(), ElementsAre("web"));
  EXPECT_THAT(server_.calls(), Each(Not(StartsWith("DeletePod"))));
}

TEST_F(RunCommandTest, LeavesItAloneToWhenInterrupted) {
  v1::Pod pod;
  pod.set_id("web");
  server_.AddPod(pod);
  server_.Hang("CreatePod");
  server_.OnCall("CreatePod", [&] { signals_.Send(SIGINT); });
  server_.OnCall("GetPod", [&] { signals_.Send(SIGINT); });
  RunOptions options;
  options.signals = &signals_;
  EXPECT_EQ(RunVc(server_, {"run", "--rm", "--id", "web", "--", "cmd"}, options).exit_status, 130);
  EXPECT_THAT(server_.pod_ids(), ElementsAre("web"));
  EXPECT_THAT(server_.calls(), Each(Not(StartsWith("DeletePod"))));
}

TEST_F(RunCommandTest, DetachedPrintsTheId) {
  const RunResult result = RunVc(server_, {"run", "-d", "--id", "web", "--", "cmd"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(result.out, "web\n");
  EXPECT_THAT(server_.calls(), ElementsAre(StartsWith("RunPod ")));
  server_.Fail("RunPod", DaemonError(grpc::StatusCode::NOT_FOUND, "COMMAND_NOT_FOUND", "no cmd"));
  EXPECT_EQ(RunVc(server_, {"run", "-d", "--id", "db", "--", "cmd"}).exit_status, 127);
}

TEST_F(RunCommandTest, ForwardsTheFirstSignal) {
  for (const int signal : {SIGINT, SIGTERM}) {
    FakeServer server;
    FakeSignals signals;
    server.SetProcess(WaitsForSignal());
    // It comes while the pod starts: the process is sent it as soon as there is one.
    server.OnCall("StartPod", [&] { signals.Send(signal); });
    RunOptions options;
    options.signals = &signals;
    EXPECT_EQ(RunVc(server, {"run", "--rm", "--id", "web", "--", "cmd"}, options).exit_status, 128 + signal);
    EXPECT_THAT(server.calls(),
                Contains("Signal pod_id: \"web\" container_id: \"main\" signal: " + std::to_string(signal)));
    EXPECT_THAT(server.pod_ids(), IsEmpty());
  }
}

TEST_F(RunCommandTest, StopsWaitingAtTheSecondSignal) {
  FakeProcess process = WaitsForSignal();
  process.ignores_signals = true;
  server_.SetProcess(process);
  server_.OnCall("StartPod", [&] { signals_.Send(SIGINT); });
  server_.OnCall("Signal", [&] { signals_.Send(SIGTERM); });
  RunOptions options;
  options.signals = &signals_;
  EXPECT_EQ(RunVc(server_, {"run", "--rm", "--", "cmd"}, options).exit_status, 128 + SIGTERM);
  EXPECT_THAT(server_.pod_ids(), IsEmpty());
  EXPECT_EQ(RunVc(server_, {"run", "--id", "stays", "--", "cmd"}, options).exit_status, 128 + SIGTERM);
  EXPECT_THAT(server_.pod_ids(), ElementsAre("stays"));
}

TEST_F(RunCommandTest, DeletesThePodWhenTheTerminalHangsUp) {
  FakeProcess process = WaitsForSignal();
  process.ignores_signals = true;
  process.output = {{v1::OUTPUT_STREAM_STDOUT, "x"}};
  server_.SetProcess(process);
  server_.OnCall("StartPod", [&] { signals_.Send(SIGHUP); });
  RunOptions options;
  options.signals = &signals_;
  EXPECT_EQ(RunVc(server_, {"run", "--rm", "--", "cmd"}, options).exit_status, 128 + SIGHUP);
  EXPECT_THAT(server_.pod_ids(), IsEmpty());
}

TEST_F(RunCommandTest, PreemptsTheCreationWhenInterrupted) {
  server_.Hang("CreatePod");
  server_.OnCall("CreatePod", [&] { signals_.Send(SIGTERM); });
  RunOptions options;
  options.signals = &signals_;
  EXPECT_EQ(RunVc(server_, {"run", "--rm", "--", "cmd"}, options).exit_status, 128 + SIGTERM);
  EXPECT_THAT(server_.calls(), Contains(StartsWith("DeletePod pod_id: \"run-")));
  EXPECT_THAT(server_.calls(), Each(Not(StartsWith("StartPod"))));
}

TEST_F(RunCommandTest, LeavesTheCreationAloneWithoutRm) {
  server_.Hang("CreatePod");
  server_.OnCall("CreatePod", [&] { signals_.Send(SIGINT); });
  RunOptions options;
  options.signals = &signals_;
  const RunResult result = RunVc(server_, {"run", "--id", "web", "--", "cmd"}, options);
  EXPECT_EQ(result.exit_status, 130);
  EXPECT_THAT(result.err, HasSubstr("vc: run web: interrupted before it was started"));
}

TEST_F(RunCommandTest, DeletesThePodWhenTheAttachFails) {
  server_.Fail("Attach", DaemonError(grpc::StatusCode::UNAVAILABLE, "AGENT_UNAVAILABLE", "the guest does not answer"));
  const RunResult result = RunVc(server_, {"run", "--rm", "--id", "web", "--", "cmd"});
  EXPECT_EQ(result.exit_status, 125);
  EXPECT_EQ(result.err, "vc: run web: the guest does not answer\n");
  EXPECT_THAT(server_.pod_ids(), IsEmpty());
}

TEST_F(RunCommandTest, DeletesThePodWhenTheStartTimesOut) {
  server_.Hang("StartPod");
  const RunResult result = RunVc(server_, {"run", "--rm", "--timeout", "3s", "--", "cmd"});
  EXPECT_EQ(result.exit_status, 125);
  EXPECT_THAT(result.err, HasSubstr("did not answer within 3s"));
  EXPECT_THAT(server_.pod_ids(), IsEmpty());
}

TEST_F(RunCommandTest, SaysThatThePodCouldNotBeDeleted) {
  server_.SetProcess(Exits(4));
  server_.Fail("DeletePod", DaemonError(grpc::StatusCode::INTERNAL, "STORAGE", "disk full"));
  const RunResult result = RunVc(server_, {"run", "--rm", "--id", "web", "--", "cmd"});
  EXPECT_EQ(result.exit_status, 4);
  EXPECT_EQ(result.err, "vc: run web: delete the pod: disk full; \"vc rm -f web\" deletes it\n");
}

TEST_F(RunCommandTest, EndsWhenNobodyReadsItsOutput) {
  FakeProcess process = WaitsForSignal();
  process.output = {{v1::OUTPUT_STREAM_STDOUT, "x"}};
  server_.SetProcess(process);
  int fds[2];
  ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  const UniqueFd write(fds[1]);
  UniqueFd(fds[0]).Reset();
  RunOptions options;
  options.stdout_fd = write.get();
  const RunResult result = RunVc(server_, {"run", "--rm", "--", "cmd"}, options);
  EXPECT_EQ(result.exit_status, 141);
  EXPECT_THAT(result.err, IsEmpty());
  EXPECT_THAT(server_.calls(), Contains(HasSubstr("signal: 13")));
  EXPECT_THAT(server_.pod_ids(), IsEmpty());
}

TEST_F(RunCommandTest, StopsAlsoWhileNobodyTakesItsOutput) {
  FakeProcess process = WaitsForSignal();
  process.ignores_signals = true;
  process.output = {{v1::OUTPUT_STREAM_STDOUT, std::string(1 << 20, 'x')}};
  server_.SetProcess(process);
  int fds[2];
  ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  const UniqueFd read(fds[0]);
  const UniqueFd write(fds[1]);
  server_.OnCall("StartPod", [&] { signals_.Send(SIGINT); });
  server_.OnCall("Signal", [&] { signals_.Send(SIGINT); });
  RunOptions options;
  options.stdout_fd = write.get();
  options.signals = &signals_;
  EXPECT_EQ(RunVc(server_, {"run", "--rm", "--", "cmd"}, options).exit_status, 130);
  EXPECT_THAT(server_.pod_ids(), IsEmpty());
}

TEST_F(RunCommandTest, ReportsThatTheOutputCannotBeWritten) {
  FakeProcess process = Exits(0);
  process.output = {{v1::OUTPUT_STREAM_STDOUT, "x"}};
  server_.SetProcess(process);
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  RunOptions options;
  options.stdout_fd = full.get();
  const RunResult result = RunVc(server_, {"run", "--rm", "--id", "web", "--", "cmd"}, options);
  EXPECT_EQ(result.exit_status, 125);
  EXPECT_EQ(result.err, "vc: run web: write standard output: No space left on device\n");
  EXPECT_THAT(server_.pod_ids(), IsEmpty());
}

}  // namespace
}  // namespace vcd::client

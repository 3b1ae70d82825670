// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "client/testing/pods.h"
#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::ReadLogsResponse Log(v1::OutputStream stream, const std::string& data, int64_t seconds) {
  v1::ReadLogsResponse log;
  log.set_stream(stream);
  log.set_data(data);
  log.mutable_time()->set_seconds(seconds);
  return log;
}

class LogsCommandTest : public testing::Test {
 protected:
  LogsCommandTest() {
    v1::Pod pod = PodOf("web", v1::POD_STATE_STOPPED);
    pod.add_containers()->set_id("side");
    pod.add_containers()->set_id("main");
    server_.AddPod(pod);
    server_.SetLogs({Log(v1::OUTPUT_STREAM_STDOUT, "one", 1700000000),
                     Log(v1::OUTPUT_STREAM_STDERR, "oops\n", 1700000001),
                     Log(v1::OUTPUT_STREAM_STDOUT, "!\ntwo\n", 1700000002)});
  }
  FakeServer server_;
};

TEST_F(LogsCommandTest, KeepsTheStreamsApart) {
  const RunResult result = RunVc(server_, {"logs", "web"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(result.out, "one!\ntwo\n");
  EXPECT_EQ(result.err, "oops\n");
}

TEST_F(LogsCommandTest, PassesItsOptionsOn) {
  EXPECT_EQ(RunVc(server_, {"logs", "-f", "--tail", "5", "web"}).exit_status, 0);
  EXPECT_THAT(server_.calls(),
              ElementsAre("GetPod pod_id: \"web\"",
                          "ReadLogs pod_id: \"web\" container_id: \"main\" follow: true tail_lines: 5"));
}

TEST_F(LogsCommandTest, WhatIsNoNumberIsToldWhatWouldBe) {
  for (const char* number : {"-1", "many", "4294967296"}) {
    const RunResult result = RunVc(server_, {"logs", "--tail", number, "web"});
    EXPECT_NE(result.exit_status, 0);
    EXPECT_THAT(result.err, HasSubstr("\" must be a number from 0 to 4294967295")) << number;
  }
  EXPECT_EQ(RunVc(server_, {"logs", "--tail", "0", "web"}).exit_status, 0);
}

TEST_F(LogsCommandTest, SinceIsATimeOrHowLongAgo) {
  struct Case {
    const char* since;
    const char* sent;
  };
  for (const Case& c :
       {Case{"10m", "since { seconds: 1699999400 }"}, Case{"0.5s", "since { seconds: 1699999999 nanos: 500000000 }"},
        Case{"2023-11-14T22:00:00+01:00", "since { seconds: 1699995600 }"}}) {
    EXPECT_EQ(RunVc(server_, {"logs", "--since", c.since, "-c", "main", "web"}).exit_status, 0);
    EXPECT_THAT(server_.calls().back(), testing::EndsWith(c.sent));
  }
  for (const char* wrong : {"yesterday", "-1h", "10", "inf", "2023-11-14", "infinite-past"}) {
    const RunResult result = RunVc(server_, {"logs", "--since", wrong, "-c", "main", "web"});
    EXPECT_EQ(result.exit_status, 2) << wrong;
    EXPECT_THAT(result.err, HasSubstr("neither a time"));
  }
}

TEST_F(LogsCommandTest, TailOfNothingFollowsOnly) {
  EXPECT_EQ(RunVc(server_, {"logs", "-f", "--tail", "0", "-c", "main", "web"}).exit_status, 0);
  EXPECT_THAT(server_.calls(),
              ElementsAre("ReadLogs pod_id: \"web\" container_id: \"main\" follow: true tail_lines: 0"));
}

TEST_F(LogsCommandTest, TellsWhatIsMissing) {
  v1::ReadLogsResponse lost = Log(v1::OUTPUT_STREAM_STDERR, "", 1);
  lost.set_lost_bytes(12);
  server_.SetLogs({Log(v1::OUTPUT_STREAM_STDOUT, "a\n", 1), lost});
  const RunResult result = RunVc(server_, {"logs", "web"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(result.out, "a\n");
  EXPECT_EQ(result.err, "vc: logs web: 12 bytes of standard error are missing here\n");
}

TEST_F(LogsCommandTest, PutsTheTimeBeforeEachLine) {
  const RunResult result = RunVc(server_, {"logs", "-t", "-c", "main", "web"});
  EXPECT_EQ(result.out, "2023-11-14T22:13:20.000000000Z one!\n2023-11-14T22:13:22.000000000Z two\n");
  EXPECT_EQ(result.err, "2023-11-14T22:13:21.000000000Z oops\n");
}

TEST_F(LogsCommandTest, ListsTheContainersToChooseFrom) {
  v1::Pod pod = PodOf("db", v1::POD_STATE_RUNNING);
  pod.add_containers()->set_id("x");
  pod.add_containers()->set_id("y");
  server_.AddPod(pod);
  const RunResult result = RunVc(server_, {"logs", "db"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(result.err, HasSubstr("vc: logs db: the pod has several containers: x, y; choose one with -c"));
}

TEST_F(LogsCommandTest, PassesManyMegabytes) {
  const std::string block(5 << 20, 'x');
  server_.SetLogs({Log(v1::OUTPUT_STREAM_STDOUT, block, 1), Log(v1::OUTPUT_STREAM_STDOUT, block, 1)});
  EXPECT_EQ(RunVc(server_, {"logs", "web"}).out, block + block);
}

TEST_F(LogsCommandTest, ShowsTheConsole) {
  server_.SetConsole("Linux version 6.1\n\x1b[0m");
  const RunResult result = RunVc(server_, {"logs", "--console", "-f", "web"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(result.out, "Linux version 6.1\n\x1b[0m");
  EXPECT_THAT(server_.calls(), ElementsAre("ReadConsole pod_id: \"web\" follow: true"));
}

TEST_F(LogsCommandTest, TheConsoleHasNoLinesTimesOrContainers) {
  for (const std::vector<std::string>& options :
       std::vector<std::vector<std::string>>{{"--tail", "1"}, {"--since", "1h"}, {"-t"}, {"-c", "main"}}) {
    std::vector<std::string> words = {"logs", "--console", "web"};
    words.insert(words.end(), options.begin(), options.end());
    EXPECT_EQ(RunVc(server_, words).exit_status, 2) << options[0];
  }
  EXPECT_THAT(server_.calls(), IsEmpty());
}

}  // namespace
}  // namespace vcd::client

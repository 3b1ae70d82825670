// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::ProcessInfo Shell() {
  v1::ProcessInfo info;
  info.set_pid(101);
  info.set_parent_pid(1);
  info.set_container_pid(7);
  info.set_user("ann");
  info.set_uid(1000);
  info.set_state("S");
  info.set_threads(2);
  info.mutable_started_at()->set_seconds(1700000000 - 90);
  info.set_cpu_time_us(3723000000);
  info.set_cpu_percent(12.34);
  info.set_rss_bytes(1536);
  info.set_virtual_bytes(2048);
  info.add_args("sh");
  info.add_args("-c\x1b[2J");
  info.set_process_id("exec-1");
  return info;
}

TEST(TopCommandTest, ShowsProcessesAsATable) {
  FakeServer server;
  server.SetProcesses({Shell()});
  const RunResult result = RunVc(server, {"top", "web", "main"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(result.out,
            "USER  PID  PPID  STAT  CPU   TIME     RSS     AGE  COMMAND\n"
            "ann   101  1     S     12.3  1:02:03  1.5KiB  90s  sh -c?[2J\n");
  EXPECT_THAT(server.calls(), ElementsAre("ListProcesses pod_id: \"web\" container_id: \"main\""));
}

TEST(TopCommandTest, ShowsTheColumnsThatAreAskedFor) {
  FakeServer server;
  server.SetProcesses({Shell()});
  EXPECT_EQ(RunVc(server, {"top", "web", "-c", "main", "--columns", "CPID,uid,vsz,threads,process"}).out,
            "CPID  UID   VSZ     THREADS  PROCESS\n"
            "7     1000  2.0KiB  2        exec-1\n");
  const RunResult refused = RunVc(server, {"top", "web", "--columns", "pid,colour"});
  EXPECT_EQ(refused.exit_status, 2);
  EXPECT_THAT(refused.err, HasSubstr("\"colour\" is none of user,uid,pid"));
}

TEST(TopCommandTest, PrintsJson) {
  FakeServer server;
  server.SetProcesses({Shell()});
  EXPECT_THAT(RunVc(server, {"top", "web", "main", "-o", "json"}).out, HasSubstr("\"user\": \"ann\""));
}

TEST(TopCommandTest, SaysWhatTheDaemonSays) {
  FakeServer server;
  server.Fail("ListProcesses", DaemonError(grpc::StatusCode::FAILED_PRECONDITION, "WRONG_STATE", "it is paused"));
  const RunResult result = RunVc(server, {"top", "web", "main"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(result.err, "vc: top web: it is paused\n");
}

}  // namespace
}  // namespace vcd::client

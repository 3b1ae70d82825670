// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::Contains;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

std::vector<v1::ExecInfo> TwoExecs() {
  std::vector<v1::ExecInfo> execs(2);
  execs[0].set_process_id("exec-1");
  execs[0].set_container_id("main");
  execs[0].set_guest_pid(71);
  execs[0].set_terminal(true);
  execs[1].set_process_id("exec-2");
  execs[1].set_container_id("side");
  execs[1].set_guest_pid(72);
  execs[1].mutable_exit_status()->set_code(137);
  execs[1].mutable_exit_status()->set_signal(9);
  return execs;
}

TEST(ExecsCommandTest, ShowsTerminalAndEnd) {
  FakeServer server;
  server.SetExecs(TwoExecs());
  const RunResult result = RunVc(server, {"execs", "web"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_THAT(result.out, ContainsRegex("exec-1 +main +71 +yes +-"));
  EXPECT_THAT(result.out, ContainsRegex("exec-2 +side +72 +no +137 .signal 9."));
  EXPECT_EQ(RunVc(server, {"execs", "-q", "-c", "main", "web"}).out, "exec-1\nexec-2\n");
  EXPECT_THAT(server.calls(), Contains("ListExecs pod_id: \"web\" container_id: \"main\""));
  EXPECT_THAT(RunVc(server, {"execs", "-o", "json", "web"}).out, HasSubstr("\"terminal\": true"));
}

TEST(ExecsCommandTest, TellsThoseApartThatRanOutOfMemory) {
  FakeServer server;
  std::vector<v1::ExecInfo> execs = TwoExecs();
  execs[1].mutable_exit_status()->set_oom_killed(true);
  server.SetExecs(execs);
  EXPECT_THAT(RunVc(server, {"execs", "web"}).out, ContainsRegex("exec-2 +side +72 +no +137 .out of memory."));
}

TEST(ExecsCommandTest, NoneIsAnEmptyListAndNoPodAnError) {
  FakeServer server;
  EXPECT_EQ(RunVc(server, {"execs", "-o", "json", "web"}).out, "{\n \"execs\": []\n}\n");
  server.Fail("ListExecs", NoPod("web"));
  const RunResult none = RunVc(server, {"execs", "web"});
  EXPECT_EQ(none.exit_status, 1);
  EXPECT_THAT(none.err, HasSubstr("vc: execs web: no pod"));
}

}  // namespace
}  // namespace vcd::client

// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::Event ExitEvent() {
  v1::Event event;
  event.set_revision(7);
  event.mutable_time()->set_seconds(1700000000);
  event.set_type(v1::EVENT_TYPE_PROCESS_EXITED);
  event.set_pod_id("web");
  event.set_container_id("main");
  event.set_process_id("exec-1");
  event.mutable_exit_status()->set_code(3);
  event.set_reason("bye\x1b");
  return event;
}

TEST(EventsCommandTest, PrintsALinePerEvent) {
  FakeServer server;
  server.SetEvents({ExitEvent(), ExitEvent()});
  const std::string line = "2023-11-14T22:13:20.000Z 7 process_exited web/main/exec-1 exit=3 bye?\n";
  const RunResult result = RunVc(server, {"events", "--pod", "web", "--after", "6"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(result.out, line + line);
  EXPECT_THAT(server.calls(), ElementsAre("WatchEvents after_revision: 6 pod_id: \"web\""));
}

TEST(EventsCommandTest, TellsProcessesApartThatRanOutOfMemory) {
  FakeServer server;
  v1::Event event = ExitEvent();
  event.clear_reason();
  event.mutable_exit_status()->set_oom_killed(true);
  server.SetEvents({event});
  EXPECT_THAT(RunVc(server, {"events"}).out, HasSubstr("exit=3 (out of memory)\n"));
}

TEST(EventsCommandTest, PrintsOneJsonObjectALineAndYamlDocuments) {
  FakeServer server;
  server.SetEvents({ExitEvent()});
  const std::string json = RunVc(server, {"events", "-o", "json"}).out;
  EXPECT_THAT(json, HasSubstr("\"type\":\"EVENT_TYPE_PROCESS_EXITED\""));
  EXPECT_EQ(json.find('\n'), json.size() - 1);
  EXPECT_THAT(RunVc(server, {"events", "-o", "yaml"}).out, HasSubstr("---\nrevision: \"7\"\n"));
}

TEST(EventsCommandTest, TakesEveryRevisionThatThereMayBe) {
  FakeServer server;
  EXPECT_EQ(RunVc(server, {"events", "--after", "18446744073709551615"}).exit_status, 0);
  EXPECT_THAT(server.calls(), ElementsAre("WatchEvents after_revision: 18446744073709551615"));
  for (const char* none : {"-1", "18446744073709551616", "x"}) {
    const RunResult result = RunVc(server, {"events", "--after", none});
    EXPECT_EQ(result.exit_status, 2);
    EXPECT_THAT(result.err, HasSubstr("must be a number from 0 to 18446744073709551615"));
  }
}

TEST(EventsCommandTest, SaysWhenTheRevisionIsGone) {
  FakeServer server;
  server.Fail("WatchEvents", DaemonError(grpc::StatusCode::OUT_OF_RANGE, "REVISION_GONE", "kept from 100 on"));
  const RunResult result = RunVc(server, {"events"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(result.err, "vc: events: kept from 100 on\n");
}

}  // namespace
}  // namespace vcd::client

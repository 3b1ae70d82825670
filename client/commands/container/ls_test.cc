// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::HasSubstr;

void AddWeb(FakeServer& server) {
  v1::Pod pod;
  pod.set_id("web");
  v1::Container& runs = *pod.add_containers();
  runs.set_id("main");
  runs.set_state(v1::CONTAINER_STATE_RUNNING);
  runs.set_guest_pid(71);
  runs.mutable_config()->mutable_cmd()->add_args("/bin/server");
  runs.mutable_config()->mutable_cmd()->add_args("-v");
  v1::Container& ended = *pod.add_containers();
  ended.set_id("side");
  ended.set_state(v1::CONTAINER_STATE_STOPPED);
  ended.mutable_exit_status()->set_code(137);
  ended.mutable_exit_status()->set_signal(9);
  server.AddPod(pod);
}

TEST(ContainerLsTest, ShowsStateProcessAndEnd) {
  FakeServer server;
  AddWeb(server);
  const RunResult result = RunVc(server, {"container", "ls", "web"});
  EXPECT_EQ(result.exit_status, 0);
  for (const std::string part : {"CONTAINER", "running", "71", "/bin/server -v", "stopped", "137 (signal 9)"}) {
    EXPECT_THAT(result.out, HasSubstr(part));
  }
  EXPECT_EQ(RunVc(server, {"container", "ls", "-q", "web"}).out, "main\nside\n");
  EXPECT_THAT(RunVc(server, {"container", "ls", "-o", "json", "web"}).out, HasSubstr("\"containers\": ["));
}

TEST(ContainerLsTest, APodWithoutContainersIsAnEmptyListAndNoPodAnError) {
  FakeServer server;
  v1::Pod pod;
  pod.set_id("empty");
  server.AddPod(pod);
  EXPECT_EQ(RunVc(server, {"container", "ls", "-o", "json", "empty"}).out, "{\n \"containers\": []\n}\n");
  const RunResult none = RunVc(server, {"container", "ls", "nope"});
  EXPECT_EQ(none.exit_status, 1);
  EXPECT_THAT(none.err, HasSubstr("vc: container ls nope: "));
}

}  // namespace
}  // namespace vcd::client

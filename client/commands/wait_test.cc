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

TEST(WaitCommandTest, PrintsTheExitCodeOfTheOnlyContainer) {
  FakeServer server;
  v1::Pod pod = PodOf("web", v1::POD_STATE_RUNNING);
  pod.add_containers()->set_id("app");
  server.AddPod(pod);
  FakeProcess process;
  process.exit_status.set_code(137);
  server.SetProcess(process);
  const RunResult result = RunVc(server, {"wait", "web"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(result.out, "137\n");
  EXPECT_THAT(server.calls(), ElementsAre("GetPod pod_id: \"web\"", "Wait pod_id: \"web\" container_id: \"app\""));
}

TEST(WaitCommandTest, TellsOfMemoryOnStandardError) {
  FakeServer server;
  v1::Pod pod = PodOf("web", v1::POD_STATE_RUNNING, {"app"});
  pod.mutable_vm()->set_memory_mib(256);
  server.AddPod(pod);
  FakeProcess process;
  process.exit_status.set_code(137);
  process.exit_status.set_signal(9);
  process.exit_status.set_oom_killed(true);
  server.SetProcess(process);
  RunResult result = RunVc(server, {"wait", "web"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(result.out, "137\n");
  EXPECT_EQ(result.err,
            "vc: wait web: container app was ended for want of memory (limit 256MiB, which is all that the pod has); "
            "\"vc resize --memory SIZE web\" gives it more\n");
  process.exit_status.set_oom_killed(false);
  server.SetProcess(process);
  EXPECT_THAT(RunVc(server, {"wait", "web"}).err, IsEmpty());
}

TEST(WaitCommandTest, ReportsAPodThatIsNotThere) {
  FakeServer server;
  const RunResult result = RunVc(server, {"wait", "web"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(result.err, HasSubstr("vc: wait web: no pod"));
}

}  // namespace
}  // namespace vcd::client

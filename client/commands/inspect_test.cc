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

TEST(InspectCommandTest, PrintsOnePodAsItself) {
  FakeServer server;
  v1::Pod pod = PodOf("web", v1::POD_STATE_RUNNING);
  pod.mutable_vm()->set_guest_kernel("6.1.0");
  server.AddPod(pod);
  EXPECT_EQ(
      RunVc(server, {"inspect", "web"}).out,
      "{\n \"id\": \"web\",\n \"state\": \"POD_STATE_RUNNING\",\n \"vm\": {\n  \"guest_kernel\": \"6.1.0\"\n }\n}\n");
  EXPECT_EQ(RunVc(server, {"inspect", "-o", "yaml", "web"}).out,
            "id: web\nstate: POD_STATE_RUNNING\nvm:\n  guest_kernel: 6.1.0\n");
  EXPECT_THAT(RunVc(server, {"inspect", "-o", "table", "web"}).out, HasSubstr("POD  STATE"));
}

TEST(InspectCommandTest, ShowsWhereTheTimeOfTheBootWent) {
  FakeServer server;
  v1::Pod pod = PodOf("web", v1::POD_STATE_RUNNING);
  pod.mutable_boot_timeline()->set_boot_queue_seconds(0.000125);
  pod.mutable_boot_timeline()->set_vmm_boot_seconds(1.5);
  server.AddPod(pod);
  EXPECT_THAT(RunVc(server, {"inspect", "-o", "yaml", "web"}).out,
              HasSubstr("boot_timeline:\n  boot_queue_seconds: 0.000125\n  vmm_boot_seconds: 1.5\n"));
}

TEST(InspectCommandTest, PrintsTheOthersAndReportsTheMissing) {
  FakeServer server;
  server.AddPod(PodOf("a", v1::POD_STATE_READY));
  server.AddPod(PodOf("c", v1::POD_STATE_READY));
  const RunResult result = RunVc(server, {"inspect", "-q", "a", "b", "c"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(result.out, "a\nc\n");
  EXPECT_THAT(result.err, HasSubstr("vc: inspect b: no pod"));
  EXPECT_THAT(RunVc(server, {"inspect", "a", "c"}).out, HasSubstr("\"pods\": ["));
}

TEST(InspectCommandTest, PrintsNothingWhenNoneIsThere) {
  FakeServer server;
  const RunResult result = RunVc(server, {"inspect", "a"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(server.calls(), ElementsAre("GetPod pod_id: \"a\""));
}

}  // namespace
}  // namespace vcd::client

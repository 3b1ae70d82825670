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

TEST(ContainerStopTest, PassesForceAndGraceOn) {
  FakeServer server;
  server.AddPod(PodOf("web", v1::POD_STATE_RUNNING, {"main"}));
  EXPECT_EQ(RunVc(server, {"container", "stop", "web", "main"}).out, "main\n");
  EXPECT_EQ(RunVc(server, {"container", "stop", "-t", "3", "web", "main"}).out, "main\n");
  EXPECT_EQ(RunVc(server, {"container", "stop", "-f", "web", "main"}).out, "main\n");
  EXPECT_THAT(server.calls(), ElementsAre("StopContainer pod_id: \"web\" container_id: \"main\"",
                                          "StopContainer pod_id: \"web\" container_id: \"main\" grace_seconds: 3",
                                          "StopContainer pod_id: \"web\" container_id: \"main\" force: true"));
}

TEST(ContainerStopTest, SaysThatThereIsNone) {
  FakeServer server;
  server.AddPod(PodOf("web", v1::POD_STATE_RUNNING, {"main"}));
  const RunResult result = RunVc(server, {"container", "stop", "web", "nope", "main"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(result.out, "main\n");
  EXPECT_EQ(result.err,
            "vc: container stop web nope: there is no such container; `vc container ls web` lists those that are\n");
}

TEST(ContainerStopTest, TheGraceDoesNotCountAgainstTheTimeout) {
  FakeServer server;
  server.Hang("StopContainer");
  EXPECT_THAT(RunVc(server, {"container", "stop", "-t", "1", "--timeout", "10ms", "web", "main"}).err,
              HasSubstr("within 1.01s"));
}

}  // namespace
}  // namespace vcd::client

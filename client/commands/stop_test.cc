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

TEST(StopCommandTest, PrintsTheIdsDone) {
  FakeServer server;
  server.AddPod(PodOf("a", v1::POD_STATE_READY));
  server.AddPod(PodOf("b", v1::POD_STATE_READY));
  const RunResult result = RunVc(server, {"stop", "a", "b"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(result.out, "a\nb\n");
  EXPECT_THAT(result.err, IsEmpty());
  EXPECT_THAT(server.calls(), ElementsAre("StopPod pod_id: \"a\"", "StopPod pod_id: \"b\""));
}

TEST(StopCommandTest, GoesOnAfterAPodThatIsNotThere) {
  FakeServer server;
  server.AddPod(PodOf("b", v1::POD_STATE_READY));
  const RunResult result = RunVc(server, {"stop", "a", "b"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(result.out, "b\n");
  EXPECT_EQ(result.err, "vc: stop a: there is no such pod; `vc ps -a` lists those that are\n");
}

TEST(StopCommandTest, PassesForceAndGraceOn) {
  FakeServer server;
  server.AddPod(PodOf("a", v1::POD_STATE_RUNNING));
  EXPECT_EQ(RunVc(server, {"stop", "-f", "-t", "3", "a"}).exit_status, 0);
  EXPECT_EQ(RunVc(server, {"stop", "-t", "0", "a"}).exit_status, 0);
  EXPECT_THAT(server.calls(), ElementsAre("StopPod pod_id: \"a\" force: true grace_seconds: 3",
                                          "StopPod pod_id: \"a\" grace_seconds: 1"));
}

TEST(StopCommandTest, TheGraceDoesNotCountAgainstTheTimeout) {
  FakeServer server;
  server.Hang("StopPod");
  // The message says what was waited for.
  EXPECT_THAT(RunVc(server, {"stop", "-t", "1", "--timeout", "10ms", "a"}).err, HasSubstr("within 1.01s"));
}

}  // namespace
}  // namespace vcd::client

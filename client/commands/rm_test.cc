// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "client/testing/each_pod.h"
#include "client/testing/pods.h"
#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(RmCommandTest, IsDoneToEachAndSaysWhichIsNotThere) {
  ExpectDoneToEachPod("rm", "DeletePod", "there is no such pod; `vc ps -a` lists those that are");
}

TEST(RmCommandTest, PassesForceOn) {
  FakeServer server;
  server.AddPod(PodOf("a", v1::POD_STATE_RUNNING));
  EXPECT_EQ(RunVc(server, {"rm", "-f", "a"}).exit_status, 0);
  EXPECT_THAT(server.calls(), ElementsAre("DeletePod pod_id: \"a\" force: true"));
  EXPECT_THAT(server.pod_ids(), IsEmpty());
}

TEST(RmCommandTest, TellsWhatAForcedDeletionLeft) {
  FakeServer server;
  server.AddPod(PodOf("a", v1::POD_STATE_RUNNING));
  server.SetNotReleased({"network cni: plugin failed"});
  const RunResult result = RunVc(server, {"rm", "-f", "a"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(result.out, "a\n");
  EXPECT_EQ(result.err, "vc: rm a: deleted, but not given back: network cni: plugin failed\n");
}

}  // namespace
}  // namespace vcd::client

// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

v1::Pod PodOf(const std::string& id, v1::PodState state) {
  v1::Pod pod;
  pod.set_id(id);
  pod.set_state(state);
  return pod;
}

TEST(RmCommandTest, PrintsTheIdsDone) {
  FakeServer server;
  server.AddPod(PodOf("a", v1::POD_STATE_READY));
  server.AddPod(PodOf("b", v1::POD_STATE_READY));
  const RunResult result = RunVc(server, {"rm", "a", "b"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(result.out, "a\nb\n");
  EXPECT_THAT(result.err, IsEmpty());
  EXPECT_THAT(server.calls(), ElementsAre("DeletePod pod_id: \"a\"", "DeletePod pod_id: \"b\""));
}

TEST(RmCommandTest, GoesOnAfterAPodThatIsNotThere) {
  FakeServer server;
  server.AddPod(PodOf("b", v1::POD_STATE_READY));
  const RunResult result = RunVc(server, {"rm", "a", "b"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(result.out, "b\n");
  EXPECT_EQ(result.err, "vc: rm a: there is no such pod; `vc ps -a` lists those that are\n");
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
  v1::Pod pod;
  pod.set_id("a");
  server.AddPod(pod);
  server.SetNotReleased({"network cni: plugin failed"});
  const RunResult result = RunVc(server, {"rm", "-f", "a"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(result.out, "a\n");
  EXPECT_EQ(result.err, "vc: rm a: deleted, but not given back: network cni: plugin failed\n");
}

}  // namespace
}  // namespace vcd::client

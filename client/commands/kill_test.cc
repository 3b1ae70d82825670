// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>

#include "client/testing/pods.h"
#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::Pod TwoContainers() {
  v1::Pod pod = PodOf("web", v1::POD_STATE_RUNNING);
  for (const auto& [id, state] :
       {std::make_pair("a", v1::CONTAINER_STATE_RUNNING), std::make_pair("b", v1::CONTAINER_STATE_STOPPED),
        std::make_pair("c", v1::CONTAINER_STATE_RUNNING)}) {
    pod.add_containers()->set_id(id);
    pod.mutable_containers()->rbegin()->set_state(state);
  }
  return pod;
}

TEST(KillCommandTest, SendsSigkillToAllThatRun) {
  FakeServer server;
  server.AddPod(TwoContainers());
  const RunResult result = RunVc(server, {"kill", "web"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(result.out, "web\n");
  EXPECT_THAT(server.calls(),
              ElementsAre("GetPod pod_id: \"web\"", "KillContainer pod_id: \"web\" container_id: \"a\" signal: 9",
                          "KillContainer pod_id: \"web\" container_id: \"c\" signal: 9"));
}

TEST(KillCommandTest, SendsTheSignalToOneContainer) {
  FakeServer server;
  EXPECT_EQ(RunVc(server, {"kill", "-s", "HUP", "-c", "b", "-a", "web"}).exit_status, 0);
  EXPECT_THAT(server.calls(), ElementsAre("KillContainer pod_id: \"web\" container_id: \"b\" signal: 1 all: true"));
}

TEST(KillCommandTest, SaysThatNothingRuns) {
  FakeServer server;
  server.AddPod(PodOf("web", v1::POD_STATE_STOPPED));
  const RunResult result = RunVc(server, {"kill", "web"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(result.err, HasSubstr("vc: kill web: no container of the pod runs"));
}

TEST(KillCommandTest, SaysThatThePodIsPaused) {
  FakeServer server;
  v1::Pod pod = PodOf("web", v1::POD_STATE_PAUSED, {"main"});
  pod.mutable_containers(0)->set_state(v1::CONTAINER_STATE_PAUSED);
  server.AddPod(pod);
  server.Fail("KillContainer",
              DaemonError(grpc::StatusCode::FAILED_PRECONDITION, "WRONG_STATE", "it is paused; resume it first"));
  const RunResult result = RunVc(server, {"kill", "web"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(result.err, "vc: kill web: it is paused; resume it first\n");
}

}  // namespace
}  // namespace vcd::client

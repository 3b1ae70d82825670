// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "client/testing/pods.h"
#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::ElementsAre;

TEST(ContainerRmTest, DeletesEachAndSaysWhichIsNotThere) {
  FakeServer server;
  server.AddPod(PodOf("web", v1::POD_STATE_RUNNING, {"main"}));
  const RunResult result = RunVc(server, {"container", "rm", "web", "nope", "main"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(result.out, "main\n");
  EXPECT_EQ(result.err,
            "vc: container rm web nope: there is no such container; `vc container ls web` lists those that are\n");
}

TEST(ContainerRmTest, WithForceWhatIsNotThereIsDone) {
  FakeServer server;
  EXPECT_EQ(RunVc(server, {"container", "rm", "-f", "web", "nope"}).out, "nope\n");
  EXPECT_THAT(server.calls(), ElementsAre("DeleteContainer pod_id: \"web\" container_id: \"nope\" force: true"));
}

}  // namespace
}  // namespace vcd::client

// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::ElementsAre;

TEST(ContainerStartTest, PrintsThoseThatRunAndGoesOnAfterOneThatDoesNot) {
  FakeServer server;
  EXPECT_EQ(RunVc(server, {"container", "start", "web", "a", "b"}).out, "a\nb\n");
  EXPECT_THAT(server.calls(), ElementsAre("StartContainer pod_id: \"web\" container_id: \"a\"",
                                          "StartContainer pod_id: \"web\" container_id: \"b\""));
  server.Fail("StartContainer", DaemonError(grpc::StatusCode::FAILED_PRECONDITION, "WRONG_STATE", "it is running"));
  const RunResult result = RunVc(server, {"container", "start", "web", "a", "b"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(result.err, "vc: container start web a: it is running\nvc: container start web b: it is running\n");
}

}  // namespace
}  // namespace vcd::client

// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(RestoreCommandTest, PrintsTheId) {
  FakeServer server;
  const RunResult result = RunVc(server, {"restore", "/out/one"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(result.out, "as-it-was\n");
  EXPECT_EQ(RunVc(server, {"restore", "/out/./one", "--id", "two"}).out, "two\n");
  EXPECT_THAT(server.calls(),
              ElementsAre("RestorePod directory: \"/out/one\"", "RestorePod directory: \"/out/one\" pod_id: \"two\""));
}

TEST(RestoreCommandTest, SaysWhyNot) {
  FakeServer server;
  server.Fail("RestorePod", DaemonError(grpc::StatusCode::DATA_LOSS, "CHECKPOINT_UNFIT", "image/state: is missing"));
  const RunResult result = RunVc(server, {"restore", "/out/one"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_THAT(result.err, HasSubstr("image/state: is missing"));
}

}  // namespace
}  // namespace vcd::client

// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <string>

#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(CheckpointCommandTest, PrintsWhatItTakes) {
  FakeServer server;
  const RunResult result = RunVc(server, {"checkpoint", "web", "/out/one/"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(result.out, "/out/one  3.0MiB\n");
  ASSERT_EQ(RunVc(server, {"checkpoint", "--stop", "web", "here/../two"}).exit_status, 0);
  EXPECT_THAT(server.calls(), ElementsAre("CheckpointPod pod_id: \"web\" directory: \"/out/one\"",
                                          "CheckpointPod pod_id: \"web\" directory: \"" +
                                              (std::filesystem::current_path() / "two").string() + "\" stop: true"));
}

TEST(CheckpointCommandTest, NeedsBoth) {
  FakeServer server;
  EXPECT_EQ(RunVc(server, {"checkpoint", "web"}).exit_status, 2);
  EXPECT_THAT(server.calls(), IsEmpty());
}

TEST(CheckpointCommandTest, SaysWhyNot) {
  FakeServer server;
  server.Fail("CheckpointPod", DaemonError(grpc::StatusCode::FAILED_PRECONDITION, "NOT_IMPLEMENTED", "it shares /srv"));
  const RunResult result = RunVc(server, {"checkpoint", "web", "/out/one"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_THAT(result.err, HasSubstr("it shares /srv"));
}

}  // namespace
}  // namespace vcd::client

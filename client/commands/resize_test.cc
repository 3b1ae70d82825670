// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(ResizeCommandTest, SendsWhatIsNamed) {
  FakeServer server;
  const RunResult result = RunVc(server, {"resize", "web", "--cpus", "2", "--memory", "512"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(result.out, "web\n");
  ASSERT_EQ(RunVc(server, {"resize", "web", "--vcpus", "3"}).exit_status, 0);
  EXPECT_THAT(server.calls(), ElementsAre("UpdatePod pod_id: \"web\" resources { memory_mib: 512 vcpus: 2 }",
                                          "UpdatePod pod_id: \"web\" resources { vcpus: 3 }"));
}

TEST(ResizeCommandTest, RefusesWhatChangesNothing) {
  FakeServer server;
  const RunResult result = RunVc(server, {"resize", "web"});
  EXPECT_EQ(result.exit_status, 2);
  EXPECT_THAT(result.err, HasSubstr("names neither vCPUs nor memory"));
  EXPECT_EQ(RunVc(server, {"resize", "web", "--cpus", "0"}).exit_status, 2);
  EXPECT_EQ(RunVc(server, {"resize", "web", "--memory", "0", "--cpus", "1"}).exit_status, 2);
  EXPECT_EQ(RunVc(server, {"resize", "web", "--cpus", "many"}).exit_status, 2);
  EXPECT_THAT(server.calls(), IsEmpty());
}

}  // namespace
}  // namespace vcd::client

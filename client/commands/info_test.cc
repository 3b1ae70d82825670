// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::HasSubstr;

TEST(InfoCommandTest, PrintsBackendsAndLimits) {
  FakeServer server;
  const RunResult result = RunVc(server, {"info"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_THAT(result.out, HasSubstr("KIND        NAME  DEFAULT  CAPABILITIES\nhypervisor  qemu  yes      pause\n"));
  EXPECT_THAT(result.out, HasSubstr("Accelerator:      tcg (no /dev/kvm)\n"));
  EXPECT_THAT(RunVc(server, {"info", "-o", "json"}).out, HasSubstr("\"is_default\": true"));
}

TEST(InfoCommandTest, SaysWhyItFailed) {
  FakeServer server;
  server.Fail("GetInfo", grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "not yet"));
  const RunResult result = RunVc(server, {"info"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(result.err, "vc: info: not yet\n");
}

}  // namespace
}  // namespace vcd::client

// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::HasSubstr;

TEST(VersionCommandTest, PrintsBothVersions) {
  FakeServer server;
  EXPECT_EQ(RunVc(server, {"version"}).out, "PART  VERSION  API\nvc    0.1.0    v1\nvcd   9.8.7    v1\n");
  EXPECT_EQ(RunVc(server, {"version", "-o", "yaml"}).out,
            "client:\n  version: 0.1.0\n  api_version: v1\ndaemon:\n  version: 9.8.7\n  api_version: v1\n");
  EXPECT_EQ(RunVc(server, {"version", "-o", "json"}).out,
            "{\n \"client\": {\"version\":\"0.1.0\",\"api_version\":\"v1\"},\n"
            " \"daemon\": {\"version\":\"9.8.7\",\"api_version\":\"v1\"}\n}\n");
}

TEST(VersionCommandTest, PrintsItsOwnAloneAndSaysWhy) {
  const RunResult result = RunVc("/no/socket", {"version"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(result.out, "PART  VERSION  API\nvc    0.1.0    v1\n");
  EXPECT_THAT(result.err, HasSubstr("cannot reach vcd at /no/socket"));
  EXPECT_EQ(RunVc("/no/socket", {"version", "-o", "json"}).out,
            "{\n \"client\": {\"version\":\"0.1.0\",\"api_version\":\"v1\"}\n}\n");
}

}  // namespace
}  // namespace vcd::client

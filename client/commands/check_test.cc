// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/vcd/v1/system_service.pb.h"

namespace vcd::client {
namespace {

using ::testing::HasSubstr;

v1::CheckResult Result(const std::string& name, v1::CheckLevel level, const std::string& detail,
                       const std::string& remedy = "") {
  v1::CheckResult result;
  result.set_name(name);
  result.set_ok(level == v1::CHECK_LEVEL_UNSPECIFIED);
  result.set_level(level);
  result.set_detail(detail);
  result.set_remedy(remedy);
  return result;
}

v1::CheckResponse Found(v1::CheckLevel level) {
  v1::CheckResponse found;
  *found.add_results() = Result("kernel", v1::CHECK_LEVEL_UNSPECIFIED, "/vmlinux");
  *found.add_results() = Result("qemu", level, "there is no\x1bQEMU", "install it");
  return found;
}

TEST(CheckCommandTest, PrintsWhatWasFoundWithRemediesAndEndsByIt) {
  FakeServer server;
  server.SetCheck(Found(v1::CHECK_LEVEL_ERROR));
  const RunResult broken = RunVc(server, {"check"});
  EXPECT_EQ(broken.exit_status, 1);
  EXPECT_THAT(broken.out, HasSubstr("ok       kernel          /vmlinux\nerror    qemu            there is no"));
  EXPECT_THAT(broken.out, HasSubstr("\n                      -> install it\npods cannot run here\n"));
  EXPECT_THAT(broken.out, Not(HasSubstr("\x1b")));
  EXPECT_EQ(RunVc(server, {"check", "-o", "json"}).exit_status, 1);
  EXPECT_THAT(RunVc(server, {"check", "-o", "json"}).out, HasSubstr("\"level\": \"CHECK_LEVEL_ERROR\""));
}

TEST(CheckCommandTest, WarningsAndWhatIsOptionalKeepNoPodFromRunning) {
  FakeServer server;
  for (const auto& [level, word] :
       {std::pair(v1::CHECK_LEVEL_WARNING, "warning  qemu"), std::pair(v1::CHECK_LEVEL_INFO, "info     qemu")}) {
    server.SetCheck(Found(level));
    const RunResult result = RunVc(server, {"check"});
    EXPECT_EQ(result.exit_status, 0);
    EXPECT_THAT(result.out, HasSubstr(word));
    EXPECT_THAT(result.out, HasSubstr("pods can run here\n"));
  }
}

TEST(CheckCommandTest, SaysWhyItFailed) {
  FakeServer server;
  server.Fail("Check", grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "not yet"));
  const RunResult result = RunVc(server, {"check"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(result.err, "vc: check: not yet\n");
}

}  // namespace
}  // namespace vcd::client

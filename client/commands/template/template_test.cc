// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

v1::Template Ready(const std::string& key) {
  v1::Template known;
  known.set_key(key);
  known.set_state(v1::TEMPLATE_STATE_READY);
  known.set_trust_domain("team-a");
  known.set_vcpus(2);
  known.set_memory_mib(128);
  known.set_memory_bytes(42 << 20);
  known.set_clones(7);
  known.set_warm_machines(3);
  return known;
}

TEST(TemplateLsTest, ShowsWhatThereIs) {
  FakeServer server;
  v1::Template failed = Ready("beef");
  failed.set_state(v1::TEMPLATE_STATE_FAILED);
  failed.set_reason("no luck\x1b[2J");
  server.SetTemplates({Ready("0123456789abcdef"), failed});
  const RunResult result = RunVc(server, {"template", "ls"});
  EXPECT_EQ(result.exit_status, 0);
  for (const std::string part :
       {"KEY", "0123456789ab ", "ready", "team-a", "128.0MiB", "42.0MiB", "WARM", "3 ", "7", "failed"}) {
    EXPECT_THAT(result.out, HasSubstr(part));
  }
  EXPECT_EQ(result.out.find('\x1b'), std::string::npos);
  EXPECT_EQ(RunVc(server, {"template", "ls", "-q"}).out, "0123456789abcdef\nbeef\n");
  EXPECT_THAT(RunVc(server, {"template", "ls", "-o", "json"}).out, HasSubstr("\"clones\": \"7\""));
}

TEST(TemplateLsTest, NoneIsAnEmptyList) {
  FakeServer server;
  EXPECT_EQ(RunVc(server, {"template", "ls", "-o", "json"}).out, "{\n \"templates\": []\n}\n");
}

TEST(TemplatePrepareTest, AsksForThatMachine) {
  FakeServer server;
  const RunResult result = RunVc(server, {"template", "prepare", "--memory", "256", "--trust-domain", "team-a"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(result.out, "cafe\n");
  EXPECT_THAT(server.calls(), Contains(HasSubstr("memory_mib: 256")));
  EXPECT_THAT(server.calls(), Contains(HasSubstr("trust_domain: \"team-a\"")));
  server.Fail("PrepareTemplate", grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "no room"));
  EXPECT_THAT(RunVc(server, {"template", "prepare"}).err, HasSubstr("no room"));
}

TEST(TemplateRmTest, DropsWhatIsNamed) {
  FakeServer server;
  server.SetTemplates({Ready("beef"), Ready("cafe")});
  EXPECT_EQ(RunVc(server, {"template", "rm", "be"}).out, "beef\n");
  const RunResult gone = RunVc(server, {"template", "rm", "be", "ca"});
  EXPECT_EQ(gone.exit_status, 1);
  EXPECT_EQ(gone.out, "cafe\n") << "one that fails does not stop the others";
  EXPECT_THAT(gone.err, HasSubstr("vc: template rm be: there is no such template"));
  EXPECT_EQ(RunVc(server, {"template", "rm", "--all"}).exit_status, 0);
  EXPECT_EQ(RunVc(server, {"template", "rm"}).exit_status, 2);
  EXPECT_EQ(RunVc(server, {"template", "rm", "--all", "x"}).exit_status, 2);
}

}  // namespace
}  // namespace vcd::client

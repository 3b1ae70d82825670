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

void AddWeb(FakeServer& server) {
  v1::Pod pod;
  pod.set_id("web");
  (*pod.mutable_config()->mutable_annotations())["org.example/b"] = "2";
  (*pod.mutable_config()->mutable_annotations())["org.example/a"] = "x=y";
  server.AddPod(pod);
}

TEST(AnnotateCommandTest, PrintsAllInOrder) {
  FakeServer server;
  AddWeb(server);
  EXPECT_EQ(RunVc(server, {"annotate", "web"}).out, "org.example/a=x=y\norg.example/b=2\n");
}

TEST(AnnotateCommandTest, PrintsOneAndFailsWhenThereIsNone) {
  FakeServer server;
  AddWeb(server);
  EXPECT_EQ(RunVc(server, {"annotate", "web", "--get", "org.example/a"}).out, "x=y\n");
  const RunResult none = RunVc(server, {"annotate", "--get", "nope", "web"});
  EXPECT_EQ(none.exit_status, 1);
  EXPECT_THAT(none.out, IsEmpty());
  EXPECT_EQ(none.err, "vc: annotate web: has no such annotation\n");
}

TEST(AnnotateCommandTest, MakesAllChangesInOneCall) {
  FakeServer server;
  const RunResult result = RunVc(server, {"annotate", "web", "a=1", "b-=x=", "c=", "d-"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(result.out, "web\n");
  ASSERT_EQ(server.calls().size(), 1u);
  const std::string call = server.calls()[0];
  for (const std::string part :
       {"key: \"a\" value: \"1\"", "key: \"b-\" value: \"x=\"", "key: \"c\" value: \"\"", "remove_keys: \"d\""}) {
    EXPECT_THAT(call, HasSubstr(part));
  }
}

TEST(AnnotateCommandTest, RefusesWhatIsNoChange) {
  FakeServer server;
  for (const std::string word : {"key", "=value", "-"}) {
    const RunResult result = RunVc(server, {"annotate", "web", "a=1", word});
    EXPECT_EQ(result.exit_status, 2) << word;
    EXPECT_THAT(result.err, HasSubstr("must be KEY=VALUE, or KEY- to remove one"));
  }
  EXPECT_EQ(RunVc(server, {"annotate", "web", "--get", "a", "b=1"}).exit_status, 2);
  for (const std::string word : {"a=2", "a-"}) {
    const RunResult result = RunVc(server, {"annotate", "web", "a=1", word});
    EXPECT_EQ(result.exit_status, 2) << word;
    EXPECT_EQ(result.err, "vc: annotate: \"a\": is changed twice; say once what becomes of it\n");
  }
  EXPECT_THAT(server.calls(), IsEmpty());
}

}  // namespace
}  // namespace vcd::client

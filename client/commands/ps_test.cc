// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "client/testing/pods.h"
#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::Pod WebPod() {
  v1::Pod pod = PodOf("web", v1::POD_STATE_RUNNING);
  pod.add_containers()->set_state(v1::CONTAINER_STATE_RUNNING);
  pod.add_containers()->set_state(v1::CONTAINER_STATE_STOPPED);
  pod.mutable_created_at()->set_seconds(1700000000 - 300);
  return pod;
}

TEST(PsCommandTest, ShowsAllButStoppedPodsAsATable) {
  FakeServer server;
  server.AddPod(WebPod());
  v1::Pod lost = PodOf("lost", v1::POD_STATE_FAILED);
  lost.set_reason("qemu ended");
  server.AddPod(lost);
  server.AddPod(PodOf("old", v1::POD_STATE_STOPPED));
  const RunResult result = RunVc(server, {"ps"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(result.out,
            "POD   STATE    CONTAINERS  CREATED  REASON\n"
            "lost  failed   0/0         -        qemu ended\n"
            "web   running  1/2         5m ago\n");
}

TEST(PsCommandTest, ALongReasonIsOneLineOfTheTableAndWholeElsewhere) {
  FakeServer server;
  v1::Pod lost = PodOf("lost", v1::POD_STATE_FAILED);
  const std::string words = "the guest's kernel has panicked: Kernel panic - not syncing: sysrq triggered crash";
  lost.set_reason(words + "\nCPU: 0 PID: 1 Comm: init\nCall Trace:");
  server.AddPod(lost);
  EXPECT_EQ(
      RunVc(server, {"ps"}).out,
      "POD   STATE   CONTAINERS  CREATED  REASON\nlost  failed  0/0         -        " + words.substr(0, 79) + "…\n");
  EXPECT_THAT(RunVc(server, {"inspect", "lost"}).out, HasSubstr("Call Trace:"));
}

TEST(PsCommandTest, ShowsStoppedPodsWhenAsked) {
  FakeServer server;
  server.AddPod(PodOf("old", v1::POD_STATE_STOPPED));
  EXPECT_THAT(RunVc(server, {"ps", "-q"}).out, IsEmpty());
  EXPECT_EQ(RunVc(server, {"ps", "-aq"}).out, "old\n");
  EXPECT_EQ(RunVc(server, {"ps", "-q", "--filter", "state=stopped"}).out, "old\n");
}

TEST(PsCommandTest, PassesFiltersOn) {
  FakeServer server;
  EXPECT_EQ(RunVc(server, {"ps", "--filter", "id=w*", "--filter", "annotation.a=b"}).exit_status, 0);
  EXPECT_THAT(server.calls(), ElementsAre("ListPods filter: \"id=w* annotation.a=b\""));
}

TEST(PsCommandTest, ReadsEveryPage) {
  FakeServer server;
  for (const char* id : {"a", "b", "c", "d", "e"}) server.AddPod(PodOf(id, v1::POD_STATE_READY));
  server.SetPageSize(2);
  EXPECT_EQ(RunVc(server, {"ps", "-o", "name"}).out, "a\nb\nc\nd\ne\n");
  EXPECT_THAT(server.calls(), ElementsAre("ListPods ", "ListPods page_token: \"b\"", "ListPods page_token: \"d\""));
}

TEST(PsCommandTest, PrintsJsonAndYaml) {
  FakeServer server;
  EXPECT_EQ(RunVc(server, {"ps", "-o", "json"}).out, "{\n \"pods\": []\n}\n");
  EXPECT_EQ(RunVc(server, {"ps", "-o", "yaml"}).out, "pods: []\n");
  server.AddPod(PodOf("web", v1::POD_STATE_RUNNING));
  EXPECT_EQ(RunVc(server, {"ps", "-o", "json"}).out,
            "{\n \"pods\": [\n  {\n   \"id\": \"web\",\n   \"state\": \"POD_STATE_RUNNING\"\n  }\n ]\n}\n");
  EXPECT_EQ(RunVc(server, {"ps", "-o", "yaml"}).out, "pods:\n  - id: web\n    state: POD_STATE_RUNNING\n");
}

TEST(PsCommandTest, SaysWhyItFailed) {
  FakeServer server;
  server.Fail("ListPods", DaemonError(grpc::StatusCode::INVALID_ARGUMENT, "INVALID_FIELD", "filter: unknown term x"));
  const RunResult result = RunVc(server, {"ps", "--filter", "x"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(result.err, "vc: ps: filter: unknown term x\n");
  EXPECT_THAT(result.err, HasSubstr("filter"));
}

}  // namespace
}  // namespace vcd::client

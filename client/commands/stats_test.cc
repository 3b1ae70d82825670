// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// At that second, with that much CPU time used by both machine and container.
v1::PodStats Stats(int64_t seconds, uint64_t cpu_us) {
  v1::PodStats stats;
  stats.set_pod_id("web");
  stats.mutable_time()->set_seconds(seconds);
  stats.mutable_vm()->set_cpu_usage_us(2 * cpu_us);
  stats.mutable_vm()->set_memory_rss_bytes(3 << 20);
  stats.mutable_vm()->set_memory_unique_bytes(1 << 20);
  stats.mutable_vm()->set_memory_shared_bytes(2 << 20);
  stats.mutable_vm()->set_threads(4);
  stats.mutable_guest()->set_memory_total_bytes(128 << 20);
  v1::ContainerStats& container = *stats.add_containers();
  container.set_container_id("main");
  container.mutable_time()->set_seconds(seconds);
  container.set_cpu_usage_us(cpu_us);
  container.set_memory_usage_bytes(5 << 20);
  container.set_pids(2);
  container.set_io_read_bytes(4096);
  container.set_oom_kills(1);
  return stats;
}

TEST(StatsCommandTest, ComputesTheShareOfACpuBetweenTwoLooks) {
  FakeServer server;
  server.SetPodStats({Stats(100, 1000000), Stats(102, 1500000)});
  const RunResult result = RunVc(server, {"stats", "--no-stream", "--interval", "0", "web"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(result.out,
            "POD  CONTAINER  CPU%  MEMORY  LIMIT  UNIQUE  SHARED  PIDS  READ    WRITTEN  OOM\n"
            "web  (machine)  50.0  3.0MiB  -      1.0MiB  2.0MiB  4     -       -        -\n"
            "web  main       25.0  5.0MiB  -      -       -       2     4.0KiB  0B       1\n");
}

TEST(StatsCommandTest, PrintsOnePodALineAsJson) {
  FakeServer server;
  server.SetPodStats({Stats(100, 1000000)});
  const RunResult result = RunVc(server, {"stats", "--no-stream", "-o", "json", "web"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_THAT(result.out, HasSubstr("\"pod_id\":\"web\""));
  EXPECT_EQ(result.out.find('\n'), result.out.size() - 1);
  EXPECT_THAT(server.calls(), ElementsAre("GetPodStats pod_id: \"web\""));
}

TEST(StatsCommandTest, ShowsAllPodsThatHaveAMachine) {
  FakeServer server;
  for (const auto& [id, state] : {std::make_pair("up", v1::POD_STATE_RUNNING), {"down", v1::POD_STATE_STOPPED}}) {
    v1::Pod pod;
    pod.set_id(id);
    pod.set_state(state);
    server.AddPod(pod);
  }
  server.SetPodStats({Stats(100, 1)});
  EXPECT_EQ(RunVc(server, {"stats", "--no-stream", "-o", "json"}).exit_status, 0);
  EXPECT_THAT(server.calls(), ElementsAre(HasSubstr("ListPods"), "GetPodStats pod_id: \"up\""));
}

TEST(StatsCommandTest, SaysWhichPodIsNotThere) {
  FakeServer server;
  server.Fail("GetPodStats", DaemonError(grpc::StatusCode::NOT_FOUND, "POD_NOT_FOUND", "there is none"));
  const RunResult result = RunVc(server, {"stats", "--no-stream", "web"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(result.err, "vc: stats web: there is none\n");
}

TEST(StatsCommandTest, SaysOnceThatAPodIsNotThereThoughItLooksTwice) {
  FakeServer server;
  server.SetPodStats({Stats(100, 1000000), Stats(102, 1500000)});
  const grpc::Status none = DaemonError(grpc::StatusCode::NOT_FOUND, "POD_NOT_FOUND", "there is none");
  server.Fail("GetPodStats", none);
  // Says what the next call answers: those of "gone" and "web" take turns.
  int call = 0;
  server.OnCall("GetPodStats", [&] { server.Fail("GetPodStats", call++ % 2 == 0 ? grpc::Status::OK : none); });
  const RunResult result = RunVc(server, {"stats", "--no-stream", "--interval", "0", "gone", "web"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(result.err, "vc: stats gone: there is none\n");
  EXPECT_EQ(call, 4);
}

TEST(StatsCommandTest, LooksNotWithoutPause) {
  FakeServer server;
  const RunResult result = RunVc(server, {"stats", "--interval", "0", "web"});
  EXPECT_EQ(result.exit_status, 2);
  EXPECT_THAT(result.err, HasSubstr("--interval: 0 goes with --no-stream alone"));
  EXPECT_THAT(server.calls(), testing::IsEmpty());
}

}  // namespace
}  // namespace vcd::client

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

TEST(UpdateCommandTest, SendsWhatIsNamed) {
  FakeServer server;
  const RunResult result =
      RunVc(server, {"update", "web", "main", "--memory", "256m", "--cpus", "0.5", "--pids-limit", "none",
                     "--cpu-shares", "512", "--cpuset-cpus", "0-1", "--cgroup", "memory.high=1g"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(result.out, "main\n");
  EXPECT_THAT(server.calls(),
              ElementsAre("UpdateContainer pod_id: \"web\" container_id: \"main\" resources { cpu_period_us: 100000 "
                          "cpu_quota_us: 50000 cpu_shares: 512 memory_limit_bytes: 268435456 pids_limit: -1 "
                          "cpuset_cpus: \"0-1\" unified { key: \"memory.high\" value: \"1g\" } }"));
}

TEST(UpdateCommandTest, TakesLimitsAway) {
  FakeServer server;
  ASSERT_EQ(RunVc(server, {"update", "web", "-c", "main", "-m", "none", "--cpu-limit=-1"}).exit_status, 0);
  EXPECT_THAT(server.calls(),
              ElementsAre("UpdateContainer pod_id: \"web\" container_id: \"main\" resources { cpu_quota_us: -1 "
                          "memory_limit_bytes: -1 }"));
}

TEST(UpdateCommandTest, RefusesWhatMakesNoSense) {
  FakeServer server;
  EXPECT_THAT(RunVc(server, {"update", "web", "main"}).err, HasSubstr("names no limit"));
  for (const auto& [option, value] : {std::make_pair("--memory", "lots"),
                                      {"--memory", "-5m"},
                                      {"--memory", "0"},
                                      {"--memory-swap", "1x"},
                                      {"--cpus", "0"},
                                      {"--cpus", "nan"},
                                      {"--pids-limit", "0"},
                                      {"--cgroup", "memory.high"}}) {
    const RunResult result = RunVc(server, {"update", "web", "main", std::string(option) + "=" + value});
    EXPECT_EQ(result.exit_status, 2) << option << value;
    EXPECT_THAT(result.err, HasSubstr(value));
  }
  EXPECT_THAT(server.calls(), IsEmpty());
}

TEST(UpdateCommandTest, VerbsThatMakeAPodTakeTheSameOptions) {
  FakeServer server;
  ASSERT_EQ(
      RunVc(server, {"create", "--memory-limit", "64m", "--pids-limit", "9", "--memory", "256", "--", "x"}).exit_status,
      0);
  const v1::PodConfig config = server.last_config();
  EXPECT_EQ(config.resources().memory_mib(), 256u) << "the guest's";
  EXPECT_EQ(config.containers(0).resources().memory_limit_bytes(), 64 << 20);
  EXPECT_EQ(config.containers(0).resources().pids_limit(), 9);
}

}  // namespace
}  // namespace vcd::client

// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/container_figures.h"

#include <map>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "guest/agent/testing/temporary_files.h"

namespace vcd::guest {
namespace {

using ::testing::Pair;
using ::testing::UnorderedElementsAre;
using ::vcd::agent::v1::Stats;

TEST(ContainerFiguresTest, ReadsWhatTheKernelTells) {
  const TemporaryFiles group;
  group.Put("cpu.stat",
            "usage_usec 900\nuser_usec 600\nsystem_usec 300\nnr_periods 4\nnr_throttled 2\nthrottled_usec 77\n");
  group.Put("memory.current", "4096\n");
  group.Put("memory.max", "max\n");
  group.Put("memory.stat", "anon 1000\nfile 2000\ninactive_file 500\n");
  group.Put("memory.events", "low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\noom_group_kill 0\n");
  group.Put("pids.current", "3\n");
  group.Put("pids.max", "10\n");
  group.Put("io.stat", "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n8:16 rbytes=5 wbytes=0 rios=1 wios=0\n");
  Stats::Container container;
  ReadContainerFigures(group.path(), &container);
  const std::map<std::string, uint64_t> figures(container.figures().begin(), container.figures().end());
  EXPECT_THAT(figures, UnorderedElementsAre(
                           Pair("cpu.usage_usec", 900), Pair("cpu.user_usec", 600), Pair("cpu.system_usec", 300),
                           Pair("cpu.nr_periods", 4), Pair("cpu.nr_throttled", 2), Pair("cpu.throttled_usec", 77),
                           Pair("memory.current", 4096), Pair("memory.anon", 1000), Pair("memory.inactive_file", 500),
                           Pair("memory.oom_kill", 1), Pair("pids.current", 3), Pair("pids.max", 10),
                           Pair("io.rbytes", 15), Pair("io.wbytes", 20), Pair("io.rios", 2), Pair("io.wios", 2)));
}

TEST(ContainerFiguresTest, ReadsTheMachine) {
  const TemporaryFiles proc;
  proc.Put("meminfo", "MemTotal:         100 kB\nMemFree:           10 kB\nMemAvailable:      60 kB\n");
  proc.Put("uptime", "12.50 20.00\n");
  proc.Put("loadavg", "0.75 0.50 0.25 1/80 99\n");
  proc.Put("pressure/memory", "some avg10=3.25 avg60=1.00 avg300=0.10 total=99\nfull avg10=1.00 avg60=0 total=1\n");
  Stats stats;
  ReadGuestFigures(proc.path(), &stats);
  EXPECT_EQ(stats.guest().at("MemTotal"), 102400u);
  EXPECT_EQ(stats.guest().at("MemAvailable"), 61440u);
  EXPECT_EQ(stats.guest().at("uptime_usec"), 12500000u);
  EXPECT_DOUBLE_EQ(stats.load_average_1m(), 0.75);
  EXPECT_DOUBLE_EQ(stats.memory_pressure_percent(), 3.25);
}

TEST(ContainerFiguresTest, TellsNothingOfWhatIsNotThere) {
  const TemporaryFiles nothing;
  Stats::Container container;
  ReadContainerFigures(nothing.path(), &container);
  EXPECT_TRUE(container.figures().empty());
}

}  // namespace
}  // namespace vcd::guest

// SPDX-License-Identifier: Apache-2.0
#include "backends/agent/native/agent_usage.h"

#include <cmath>
#include <limits>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

TEST(AgentUsageTest, FiguresBecomeStats) {
  agent::v1::Stats stats;
  agent::v1::Stats::Container& container = *stats.add_containers();
  container.set_container_id("c1");
  auto& figures = *container.mutable_figures();
  figures["cpu.usage_usec"] = 30;
  figures["cpu.nr_throttled"] = 2;
  figures["memory.current"] = 1000;
  figures["memory.inactive_file"] = 400;
  figures["memory.max"] = 2000;
  figures["io.rbytes"] = 7;
  figures["of.a.later.kernel"] = 9;
  (*stats.mutable_guest())["MemTotal"] = 5000;
  stats.set_load_average_1m(0.5);
  stats.set_memory_pressure_percent(1.5);
  const GuestUsage usage = FromAgentStats(stats);
  ASSERT_EQ(usage.containers.size(), 1u);
  EXPECT_EQ(usage.containers[0].container_id(), "c1");
  EXPECT_EQ(usage.containers[0].cpu_usage_us(), 30u);
  EXPECT_EQ(usage.containers[0].cpu_throttled_periods(), 2u);
  EXPECT_EQ(usage.containers[0].memory_working_set_bytes(), 600u);
  EXPECT_EQ(usage.containers[0].memory_limit_bytes(), 2000u);
  EXPECT_EQ(usage.containers[0].io_read_bytes(), 7u);
  EXPECT_GT(usage.containers[0].time().seconds(), 0);
  EXPECT_EQ(usage.guest.memory_total_bytes(), 5000u);
  EXPECT_DOUBLE_EQ(usage.guest.load_average_1m(), 0.5);
  EXPECT_DOUBLE_EQ(usage.guest.memory_pressure_percent(), 1.5);
}

TEST(AgentUsageTest, NonsenseFromAGuestStaysHarmless) {
  agent::v1::Stats stats;
  stats.add_containers()->set_container_id("\x1b[2J");
  (*stats.mutable_containers(0)->mutable_figures())["memory.inactive_file"] = 10;
  stats.set_load_average_1m(std::nan(""));
  stats.set_memory_pressure_percent(std::numeric_limits<double>::infinity());
  const GuestUsage usage = FromAgentStats(stats);
  EXPECT_EQ(usage.containers[0].container_id(), "?[2J");
  EXPECT_EQ(usage.containers[0].memory_working_set_bytes(), 0u) << "less than nothing";
  EXPECT_EQ(usage.guest.load_average_1m(), 0);
  EXPECT_EQ(usage.guest.memory_pressure_percent(), 0);

  agent::v1::ProcessList list;
  agent::v1::ProcessList::Entry& entry = *list.add_processes();
  entry.set_started_unix_ns(std::numeric_limits<uint64_t>::max());
  entry.add_args(std::string(100000, 'a'));
  entry.add_args("\a");
  entry.set_state("RUNNING");
  const std::vector<v1::ProcessInfo> processes = FromAgentProcessList(list);
  EXPECT_EQ(processes[0].started_at().seconds(), 0);
  EXPECT_LT(processes[0].args(0).size(), 5000u);
  EXPECT_EQ(processes[0].args(1), "?");
  EXPECT_EQ(processes[0].cpu_percent(), 0);
}

TEST(AgentUsageTest, ComputesTheShareOfACpu) {
  agent::v1::ProcessList list;
  list.set_now_unix_ns(11'000'000'000);
  agent::v1::ProcessList::Entry& entry = *list.add_processes();
  entry.set_started_unix_ns(1'000'000'000);
  entry.set_cpu_time_us(2'500'000);
  EXPECT_DOUBLE_EQ(FromAgentProcessList(list)[0].cpu_percent(), 25.0);
}

TEST(AgentUsageTest, RefusesEventsThatMakeNoSense) {
  agent::v1::GuestEvent event;
  EXPECT_FALSE(CheckAgentEvent(event).ok()) << "of nothing";
  event.mutable_oom()->set_container_id("c1");
  EXPECT_TRUE(CheckAgentEvent(event).ok());
  event.mutable_oom()->set_container_id(std::string(129, 'c'));
  EXPECT_FALSE(CheckAgentEvent(event).ok());
  event.mutable_memory_pressure()->set_some_percent(3);
  EXPECT_TRUE(CheckAgentEvent(event).ok());
  event.mutable_memory_pressure()->set_some_percent(101);
  EXPECT_FALSE(CheckAgentEvent(event).ok());
}

}  // namespace
}  // namespace vcd

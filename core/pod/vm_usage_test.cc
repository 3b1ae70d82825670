// SPDX-License-Identifier: Apache-2.0
#include "core/pod/vm_usage.h"

#include <unistd.h>

#include "core/hypervisor/process_record.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

TEST(VmUsageTest, MeasuresTheProcessesOfTheRecord) {
  const absl::StatusOr<ProcessIdentity> self = IdentifyProcess(getpid());
  ASSERT_TRUE(self.ok()) << self.status();
  state::v1::VirtualMachine record;
  *record.mutable_process() = ToRecord(*self);
  *record.add_shared_directories()->mutable_process() = ToRecord(*self);
  const std::optional<v1::VmStats> stats = ReadVmUsage(record);
  ASSERT_TRUE(stats.has_value());
  EXPECT_GT(stats->memory_unique_bytes(), 0u);
  EXPECT_GT(stats->memory_shared_bytes(), 0u);
  EXPECT_EQ(stats->memory_unique_bytes() + stats->memory_shared_bytes(), stats->memory_rss_bytes());
  EXPECT_GE(stats->memory_pss_bytes(), stats->memory_unique_bytes());
  EXPECT_GE(stats->threads(), 1u);
  EXPECT_EQ(stats->helper_processes(), 1u);
  EXPECT_GT(stats->helper_memory_pss_bytes(), 0u);
}

TEST(VmUsageTest, TellsNothingOfAMachineWithoutProcesses) {
  state::v1::VirtualMachine record;
  EXPECT_FALSE(ReadVmUsage(record).has_value());
  record.mutable_process()->set_pid(getpid());
  EXPECT_FALSE(ReadVmUsage(record).has_value()) << "another process has its pid";
}

}  // namespace
}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/cgroup_limits.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "guest/agent/testing/temporary_files.h"

namespace vcd::guest {
namespace {

using ::testing::HasSubstr;
using ::vcd::agent::v1::Resources;

struct Limit {
  std::string name;
  std::string value;
  bool optional = false;
};

Resources Limits(const std::vector<Limit>& limits) {
  Resources resources;
  for (const Limit& limit : limits) {
    Resources::File& file = *resources.add_files();
    file.set_name(limit.name);
    file.set_value(limit.value);
    file.set_optional(limit.optional);
  }
  return resources;
}

TEST(CgroupLimitsTest, WritesEachFile) {
  const TemporaryFiles group;
  group.Put("memory.max", "max\n");
  group.Put("pids.max", "max\n");
  const Outcome done = ApplyLimits(group.path(), Limits({{"memory.max", "1048576"}, {"pids.max", "7"}}));
  EXPECT_TRUE(done.ok()) << done.message();
  EXPECT_EQ(group.Get("memory.max"), "1048576");
  EXPECT_EQ(group.Get("pids.max"), "7");
}

TEST(CgroupLimitsTest, GivesOldValuesBackWhenALaterFileIsMissing) {
  const TemporaryFiles group;
  group.Put("cgroup.controllers", "cpu pids\n");
  group.Put("pids.max", "12\n");
  const Outcome done = ApplyLimits(group.path(), Limits({{"pids.max", "7"}, {"memory.max", "1048576"}}));
  EXPECT_EQ(done.code(), ErrorCode::ERROR_CODE_SYSTEM);
  EXPECT_THAT(done.message(), HasSubstr("set memory.max to \"1048576\""));
  EXPECT_THAT(done.message(), HasSubstr("are: cpu pids"));
  EXPECT_EQ(group.Get("pids.max"), "12\n");
}

TEST(CgroupLimitsTest, LeavesOutWhatMayBeMissing) {
  const TemporaryFiles group;
  group.Put("pids.max", "12\n");
  EXPECT_TRUE(ApplyLimits(group.path(), Limits({{"memory.max", "max", true}, {"pids.max", "7"}})).ok());
  EXPECT_EQ(group.Get("pids.max"), "7");
  EXPECT_EQ(group.Get("memory.max"), "") << "made";
}

TEST(CgroupLimitsTest, RefusesWhatIsNoLimitBeforeItWritesAny) {
  for (const char* name :
       {"cgroup.procs", "cgroup.subtree_control", "../memory.max", "memory/max", "", ".max", "max"}) {
    const TemporaryFiles group;
    group.Put("pids.max", "12\n");
    const Outcome done = ApplyLimits(group.path(), Limits({{"pids.max", "7"}, {name, "1"}}));
    EXPECT_EQ(done.code(), ErrorCode::ERROR_CODE_INVALID) << name;
    EXPECT_EQ(group.Get("pids.max"), "12\n") << name;
  }
}

TEST(CgroupLimitsTest, KnowsHowToGiveBackWhatAFileSaid) {
  const std::string devices = "8:0 rbps=1000 wbps=max riops=max wiops=max\n8:16 rbps=max wbps=5 riops=max wiops=max\n";
  EXPECT_EQ(ValueToRestore("io.max", devices, "8:16 wbps=9"), "8:16 rbps=max wbps=5 riops=max wiops=max");
  EXPECT_EQ(ValueToRestore("io.max", devices, "8:1 wbps=9"), "8:1 rbps=max wbps=max riops=max wiops=max");
  EXPECT_EQ(ValueToRestore("cpuset.cpus", "", "0-1"), "\n");
  EXPECT_EQ(ValueToRestore("cpu.max", "max 100000\n", "5000 100000"), "max 100000\n");
}

}  // namespace
}  // namespace vcd::guest

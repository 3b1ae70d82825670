// SPDX-License-Identifier: Apache-2.0
// What ends something comes to its end on a disk that has no byte left, and is on record.
#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "core/os/testing/bounded_filesystem.h"
#include "test/recovery/scenario_test.h"

namespace vcd {
namespace {

class FullDiskTest : public ScenarioTest {
 protected:
  PosixFilesystem posix_;
  BoundedFilesystem disk_{posix_};
};

TEST_P(FullDiskTest, HoldsUpNothingThatEnds) {
  RecoveryWorld world(&disk_);
  Prepare(world);
  disk_.BeFull();
  EXPECT_EQ(scenario().operation(world, kRequest), absl::OkStatus());
  Judge(world, true, Allowed(true), Line(before_, "other"));
  // That was written down: the next daemon sees the same.
  world.KillDaemon();
  ASSERT_TRUE(world.Boot());
  Judge(world, true, Allowed(true), Line(before_, "other"));
  JudgeDeletion(world);
}

std::vector<Scenario> Endings() {
  std::vector<Scenario> scenarios = Scenarios();
  const auto begins = [](const Scenario& scenario) {
    return !absl::StartsWith(scenario.name, "Stop") && !absl::StartsWith(scenario.name, "Delete");
  };
  scenarios.erase(std::remove_if(scenarios.begin(), scenarios.end(), begins), scenarios.end());
  return scenarios;
}

INSTANTIATE_TEST_SUITE_P(All, FullDiskTest, testing::ValuesIn(Endings()), ScenarioName);

}  // namespace
}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "test/recovery/scenario_test.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"

namespace vcd {

using testing::Contains;
using testing::IsEmpty;

std::string Line(const Observed& observed, const std::string& pod_id) {
  const auto found = observed.find(pod_id);
  return found == observed.end() ? "" : found->second;
}

void ScenarioTest::Prepare(RecoveryWorld& world) {
  ASSERT_TRUE(world.Boot());
  ASSERT_TRUE(world.Run(world.PodConfig("other")).ok());
  scenario().prepare(world);
}

void ScenarioTest::SetUp() {
  RecoveryWorld world;
  Prepare(world);
  before_ = world.Observe();
  const absl::Status status = scenario().operation(world, kRequest);
  ASSERT_TRUE(status.ok()) << status;
  after_ = world.Observe();
  ASSERT_THAT(world.Leaks(), IsEmpty());
}

std::vector<std::string> ScenarioTest::Allowed(bool acknowledged) const {
  std::vector<std::string> allowed = {Line(after_, "web")};
  if (acknowledged) return allowed;
  allowed.push_back(Line(before_, "web"));
  allowed.insert(allowed.end(), scenario().also.begin(), scenario().also.end());
  return allowed;
}

void ScenarioTest::Judge(RecoveryWorld& world, bool acknowledged, const std::vector<std::string>& allowed,
                         const std::string& other, bool leaks) {
  ++tried_;
  const auto is_allowed = [&] {
    const std::string web = Line(world.Observe(), "web");
    return std::find(allowed.begin(), allowed.end(), web) != allowed.end();
  };
  // How a container ended while there was no daemon is learnt just after the next one serves.
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  while (!is_allowed() && absl::Now() < deadline) std::this_thread::yield();
  const Observed seen = world.Observe();
  EXPECT_THAT(allowed, Contains(Line(seen, "web")));
  EXPECT_EQ(Line(seen, "other"), other);
  if (!is_allowed()) ++(acknowledged && Line(after_, "web").empty() ? resurrected_ : lost_);
  if (acknowledged && absl::StartsWith(scenario().name, "CheckpointPod")) {
    const bool there = std::filesystem::exists(world.out_dir() + "/one");
    EXPECT_TRUE(there) << "a checkpoint that was acknowledged is gone";
    if (!there) ++lost_;
  }
  if (!leaks) return;
  const std::vector<std::string> leaked = world.Leaks();
  EXPECT_THAT(leaked, IsEmpty());
  if (!leaked.empty()) ++leaked_;
}

void ScenarioTest::JudgeRepetition(RecoveryWorld& world) {
  const absl::Status again = scenario().operation(world, kRequest);
  EXPECT_TRUE(again.ok()) << again;
  const Observed end = world.Observe();
  EXPECT_EQ(end, after_);
  if (!again.ok() || end != after_) ++stuck_;
}

void ScenarioTest::JudgeDeletion(RecoveryWorld& world) {
  for (const char* pod : {"web", "other"}) {
    const absl::Status deleted = world.Delete(pod, /*force=*/true).status();
    EXPECT_TRUE(deleted.ok() || absl::IsNotFound(deleted)) << deleted;
  }
  EXPECT_THAT(world.Observe(), IsEmpty());
  EXPECT_THAT(world.Leaks(), IsEmpty());
}

void ScenarioTest::Report(const std::string& kind) const {
  const std::string row = absl::StrFormat("%-15s %-25s %5d %5d %7d %12d %14d\n", kind, scenario().name, tried_, lost_,
                                          leaked_, resurrected_, stuck_);
  std::fputs(row.c_str(), stdout);
  // tools/crash_report.sh puts the rows of all tests together.
  if (const char* directory = std::getenv("VCD_CRASH_REPORT_DIR")) {
    const std::string file = absl::StrCat(directory, "/", kind, "-", ScenarioName({scenario(), 0}));
    std::ofstream(file) << row;
  }
}

}  // namespace vcd

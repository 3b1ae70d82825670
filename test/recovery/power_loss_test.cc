// SPDX-License-Identifier: Apache-2.0
// The host loses power at every step of every operation: what was not synced is gone, and so is everything that ran.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "test/recovery/power_loss_filesystem.h"
#include "test/recovery/scenario_test.h"

namespace vcd {
namespace {

// What a pod's line is once the host was restarted: all of it stopped. Keys of annotations have a dot, ids of
// containers here have none.
std::string AfterReboot(const std::string& line) {
  if (line.empty()) return line;
  std::vector<std::string> words = absl::StrSplit(line, ' ');
  words[0] = "stopped";
  // Interfaces go with the machine.
  words.erase(
      std::remove_if(words.begin(), words.end(), [](const std::string& word) { return absl::StartsWith(word, "if."); }),
      words.end());
  for (size_t i = 1; i < words.size(); ++i) {
    const std::string name = words[i].substr(0, words[i].find('='));
    if (!absl::StrContains(name, ".")) words[i] = absl::StrCat(name, "=stopped");
  }
  return absl::StrJoin(words, " ");
}

using PowerLossTest = ScenarioTest;

TEST_P(PowerLossTest, AtEveryStepOfTheOperation) {
  for (int step = 1; !HasFailure(); ++step) {
    PosixFilesystem posix;
    PowerLossFilesystem disk(posix);
    RecoveryWorld world(&disk);
    disk.Adopt(world.root());
    disk.Adopt(world.out_dir());
    Prepare(world);
    world.CrashIn(step);
    const absl::Status status = scenario().operation(world, kRequest);
    const bool crashed = world.life().dead();
    SCOPED_TRACE(
        absl::StrCat(scenario().name, ": ", absl::StrReplaceAll(world.life().last_step(), {{world.root(), ""}})));
    world.LosePower();
    ASSERT_EQ(disk.LosePower(world.state_dir()), absl::OkStatus());
    ASSERT_EQ(disk.LosePower(world.run_dir()), absl::OkStatus());
    ASSERT_EQ(disk.LosePower(world.out_dir()), absl::OkStatus());
    ASSERT_TRUE(world.Boot());
    std::vector<std::string> allowed = Allowed(status.ok());
    for (std::string& line : allowed) line = AfterReboot(line);
    Judge(world, status.ok(), allowed, AfterReboot(Line(before_, "other")));
    // The pods that are there can be booted again.
    for (const auto& [id, line] : world.Observe()) {
      const absl::Status started = world.Start(id).status();
      EXPECT_TRUE(started.ok()) << started;
    }
    EXPECT_THAT(world.Leaks(), testing::IsEmpty());
    JudgeDeletion(world);
    if (!crashed) break;
  }
  Report("power-loss");
}

INSTANTIATE_TEST_SUITE_P(All, PowerLossTest, testing::ValuesIn(Scenarios()), ScenarioName);

}  // namespace
}  // namespace vcd

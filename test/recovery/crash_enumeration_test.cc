// SPDX-License-Identifier: Apache-2.0
// Kills a daemon before and after every effect of every operation, and half way through every write, starts the next
// one and compares what the host holds with what the API says.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "test/recovery/scenario_test.h"

namespace vcd {
namespace {

class CrashEnumerationTest : public ScenarioTest {
 protected:
  void JudgeAfterCrash(RecoveryWorld& world, const absl::Status& status, const std::string& where) {
    SCOPED_TRACE(absl::StrCat(scenario().name, ": ", absl::StrReplaceAll(where, {{world.root(), ""}})));
    Judge(world, status.ok(), Allowed(status.ok()), Line(before_, "other"));
    JudgeRepetition(world);
    JudgeDeletion(world);
  }
};

TEST_P(CrashEnumerationTest, AtEveryStepOfTheOperation) {
  for (int step = 1; !HasFailure(); ++step) {
    RecoveryWorld world;
    Prepare(world);
    // A daemon that knows the pods from their records alone.
    ASSERT_TRUE(world.Boot());
    world.CrashIn(step);
    const absl::Status status = scenario().operation(world, kRequest);
    const bool crashed = world.life().dead();
    const std::string where = crashed ? world.life().last_step() : "after its end";
    world.KillDaemon();
    ASSERT_TRUE(world.Boot());
    JudgeAfterCrash(world, status, where);
    if (!crashed) break;
  }
  Report("crash");
}

// A second crash, while the daemon recovers from the first. The pairs are many: a report tries every step of the
// recovery, a test every third one, and each of them after one or the other first crash.
TEST_P(CrashEnumerationTest, AtEveryStepOfTheRecovery) {
  const int stride = Reports() ? 1 : 3;
  bool first_crashed = true;
  for (int round = 0; first_crashed && !HasFailure(); ++round) {
    const int first = 1 + 5 * round;
    bool second_crashed = true;
    for (int second = 1 + round % stride; second_crashed && !HasFailure(); second += stride) {
      RecoveryWorld world;
      Prepare(world);
      ASSERT_TRUE(world.Boot());
      world.CrashIn(first);
      const absl::Status status = scenario().operation(world, kRequest);
      first_crashed = world.life().dead();
      std::string where = world.life().last_step();
      world.KillDaemon();
      (void)world.Boot(second);
      second_crashed = world.life().dead();
      if (second_crashed) absl::StrAppend(&where, ", then ", world.life().last_step());
      world.KillDaemon();
      ASSERT_TRUE(world.Boot());
      JudgeAfterCrash(world, status, where);
    }
  }
  Report("second-crash");
}

INSTANTIATE_TEST_SUITE_P(All, CrashEnumerationTest, testing::ValuesIn(Scenarios()), ScenarioName);

}  // namespace
}  // namespace vcd

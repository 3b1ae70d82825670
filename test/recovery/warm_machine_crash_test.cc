// SPDX-License-Identifier: Apache-2.0
// Kills a daemon before and after every effect of giving a machine that waits to a pod and of making the next one, and
// compares what the host holds with what the next daemon says.
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/recovery/recovery_world.h"

namespace vcd {
namespace {

using testing::IsEmpty;

// Pods get machines, each one of its own, and nothing is left of them.
void ExpectThatAllIsWell(RecoveryWorld& world) {
  EXPECT_THAT(world.Leaks(), IsEmpty());
  ASSERT_TRUE(world.Run(world.PodConfig("next")).ok());
  ASSERT_TRUE(world.Run(world.PodConfig("last")).ok());
  EXPECT_TRUE(world.AwaitWarmMachine());
  EXPECT_THAT(world.Leaks(), IsEmpty());
  for (const auto& [id, line] : world.Observe()) {
    EXPECT_EQ(line, "running main=running if.eth0 net.eth0") << id;
    EXPECT_TRUE(world.Delete(id, /*force=*/true).ok());
  }
  EXPECT_THAT(world.Leaks(), IsEmpty());
}

TEST(WarmMachineCrashTest, AtEveryStep) {
  bool crashed = true;
  int step = 0;
  while (crashed && !testing::Test::HasFailure()) {
    RecoveryWorld world;
    world.UseWarmMachines();
    ASSERT_TRUE(world.Boot());
    ASSERT_TRUE(world.MakeTemplate());
    world.CrashIn(++step);
    const bool ran = world.Run(world.PodConfig("web")).ok();
    // The next one is made.
    (void)world.AwaitWarmMachine();
    crashed = world.life().dead();
    SCOPED_TRACE(testing::Message() << "step " << step << ": " << (crashed ? world.life().last_step() : "none"));
    world.KillDaemon();
    ASSERT_TRUE(world.Boot());
    EXPECT_GE(world.Observe().count("web"), ran ? 1u : 0u);
    EXPECT_TRUE(crashed || world.Get("web").vm().start() == v1::VM_START_WARM);
    ExpectThatAllIsWell(world);
  }
  EXPECT_GT(step, 30) << "that is all of it?";
  testing::Test::RecordProperty("steps", step);
}

// Taking over what waits is no other thing when the daemon that does it dies, too.
TEST(WarmMachineCrashTest, AtEveryStepOfTheRecovery) {
  for (const bool taken : {false, true}) {
    bool crashed = true;
    for (int step = 1; crashed && !testing::Test::HasFailure(); ++step) {
      RecoveryWorld world;
      world.UseWarmMachines();
      ASSERT_TRUE(world.Boot());
      ASSERT_TRUE(world.MakeTemplate());
      ASSERT_TRUE(!taken || world.Run(world.PodConfig("web")).ok());
      ASSERT_TRUE(world.AwaitWarmMachine());
      world.KillDaemon();
      if (world.Boot(step)) (void)world.AwaitWarmMachine();
      crashed = world.life().dead();
      SCOPED_TRACE(testing::Message() << "step " << step << ": " << (crashed ? world.life().last_step() : "none"));
      world.KillDaemon();
      ASSERT_TRUE(world.Boot());
      ASSERT_EQ(world.Observe().count("web"), taken ? 1u : 0u);
      EXPECT_TRUE(world.AwaitWarmMachine()) << "it is not lost";
      ExpectThatAllIsWell(world);
    }
  }
}

// The pods of a machine end, too.
TEST(WarmMachineCrashTest, AtEveryStepOfTheEndOfThePod) {
  bool crashed = true;
  for (int step = 1; crashed && !testing::Test::HasFailure(); ++step) {
    RecoveryWorld world;
    world.UseWarmMachines();
    ASSERT_TRUE(world.Boot());
    ASSERT_TRUE(world.MakeTemplate());
    ASSERT_TRUE(world.Run(world.PodConfig("web")).ok());
    ASSERT_TRUE(world.AwaitWarmMachine());
    world.CrashIn(step);
    const bool deleted = world.Delete("web", /*force=*/true).ok();
    crashed = world.life().dead();
    SCOPED_TRACE(testing::Message() << "step " << step << ": " << (crashed ? world.life().last_step() : "none"));
    world.KillDaemon();
    ASSERT_TRUE(world.Boot());
    if (world.Observe().count("web") != 0) {
      EXPECT_FALSE(deleted);
      EXPECT_TRUE(world.Delete("web", /*force=*/true).ok());
    }
    ExpectThatAllIsWell(world);
  }
}

}  // namespace
}  // namespace vcd

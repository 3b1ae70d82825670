// SPDX-License-Identifier: Apache-2.0
#include "core/agent/simulation/simulated_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vcd {
namespace {

using ::testing::HasSubstr;
using Kind = SimulatedStep::Kind;

v1::Cmd Command(std::initializer_list<std::string> args) {
  v1::Cmd cmd;
  for (const std::string& arg : args) cmd.add_args(arg);
  return cmd;
}

std::vector<SimulatedStep> StepsOf(const v1::Cmd& cmd) {
  auto program = ParseSimulatedProgram(cmd);
  EXPECT_TRUE(std::holds_alternative<SimulatedProgram>(program)) << cmd.ShortDebugString();
  return std::get<SimulatedProgram>(program).steps;
}

GuestError ErrorOf(const v1::Cmd& cmd) {
  auto program = ParseSimulatedProgram(cmd);
  EXPECT_TRUE(std::holds_alternative<SimulatedRefusal>(program)) << cmd.ShortDebugString();
  return std::get<SimulatedRefusal>(program).error;
}

TEST(SimulatedProgramTest, GoesByTheBaseName) {
  EXPECT_EQ(StepsOf(Command({"/usr/bin/exit", "7"})).at(0).number, 7u);
  EXPECT_EQ(StepsOf(Command({"./echo", "a", "b"})).at(0).text, "a b\n");
}

TEST(SimulatedProgramTest, SleepsForASpanOrForEver) {
  EXPECT_EQ(StepsOf(Command({"sleep", "1.5"})).at(0).duration, absl::Milliseconds(1500));
  EXPECT_EQ(StepsOf(Command({"sleep"})).at(0).duration, absl::InfiniteDuration());
  EXPECT_EQ(StepsOf(Command({"sleep", "infinity"})).at(0).duration, absl::InfiniteDuration());
  EXPECT_EQ(StepsOf(Command({"nginx", "-g"})).at(0).duration, absl::InfiniteDuration());
}

TEST(SimulatedProgramTest, NothingBeginsAnewWithoutAPause) {
  EXPECT_EQ(StepsOf(Command({"tick", "0"})).at(1).duration, absl::Milliseconds(10));
  const auto steps = StepsOf(Command({"script", "print x", "again"}));
  ASSERT_EQ(steps.size(), 3u);
  EXPECT_EQ(steps[1].kind, Kind::kSleep);
  EXPECT_GT(steps[1].duration, absl::ZeroDuration());
}

TEST(SimulatedProgramTest, TicksAreCounted) {
  const auto steps = StepsOf(Command({"tick", "2", "2"}));
  ASSERT_EQ(steps.size(), 3u);
  EXPECT_EQ(steps[0].text, "tick 1\n");
  EXPECT_EQ(steps[1].duration, absl::Seconds(2));
  EXPECT_EQ(steps[2].text, "tick 2\n");
}

TEST(SimulatedProgramTest, ReadsScripts) {
  const auto steps = StepsOf(Command({"script", "print two words", "error", "sleep 0.2", "flood 3", "copy", "exit 4"}));
  ASSERT_EQ(steps.size(), 6u);
  EXPECT_EQ(steps[0].text, "two words\n");
  EXPECT_EQ(steps[1].kind, Kind::kError);
  EXPECT_EQ(steps[1].text, "\n");
  EXPECT_EQ(steps[2].duration, absl::Milliseconds(200));
  EXPECT_EQ(steps[3].number, 3u);
  EXPECT_EQ(steps[4].kind, Kind::kCopy);
  EXPECT_EQ(steps[5].number, 4u);
}

TEST(SimulatedProgramTest, RefusesWhatIsNoStep) {
  for (const char* line : {"", "prnt x", "sleep", "sleep -1", "sleep x", "exit 256", "exit", "copy x", "flood x"}) {
    auto program = ParseSimulatedProgram(Command({"script", line}));
    ASSERT_TRUE(std::holds_alternative<SimulatedRefusal>(program)) << line;
    EXPECT_EQ(std::get<SimulatedRefusal>(program).error, GuestError::kInvalid);
    EXPECT_THAT(std::get<SimulatedRefusal>(program).words, HasSubstr("known are print TEXT"));
  }
}

TEST(SimulatedProgramTest, RefusesAsARealGuestDoes) {
  EXPECT_EQ(ErrorOf(Command({"/bin/missing"})), GuestError::kCommandNotFound);
  EXPECT_EQ(ErrorOf(Command({"locked"})), GuestError::kCommandNotExecutable);
  v1::Cmd cmd = Command({"true"});
  cmd.set_user("nobody-such");
  EXPECT_EQ(ErrorOf(cmd), GuestError::kUserNotFound);
}

TEST(SimulatedProgramTest, EnvIsWrittenOut) {
  v1::Cmd cmd = Command({"env"});
  v1::EnvVar& env = *cmd.add_envs();
  env.set_name("A");
  env.set_value("b=c");
  EXPECT_EQ(StepsOf(cmd).at(0).text, "A=b=c\n");
}

}  // namespace
}  // namespace vcd

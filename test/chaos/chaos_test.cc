// SPDX-License-Identifier: Apache-2.0
// A short run of tools/chaos.sh on mock pods. How many kills there are depends on the machine; what holds after each of
// them does not.
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/e2e/program.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;

TEST(ChaosTest, NothingIsLostNorLeftOverHoweverOftenVcdIsKilled) {
  Program chaos({"/usr/bin/python3", "test/chaos/chaos.py", "--bin", ".", "--mock", "--seconds", "8", "--clients", "3"},
                {"PATH=/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE=1"});
  const ProgramResult result = chaos.Finish("", absl::Minutes(14));
  EXPECT_EQ(result.exit_code, 0) << result;
  EXPECT_THAT(result.out, HasSubstr(" 0 wrong"));
}

}  // namespace
}  // namespace vcd

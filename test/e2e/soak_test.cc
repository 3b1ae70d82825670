// SPDX-License-Identifier: Apache-2.0
// Many pods, one after another and at once: nothing may pile up. VCD_E2E_SOAK=1 in the environment takes 20 and 20
// instead of 5 and 4 (`bazel test --test_env=VCD_E2E_SOAK=1 //test/e2e:soak_test`).
#include <stdlib.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "test/e2e/e2e_test.h"

namespace vcd {
namespace {

constexpr int kParallel = 4;

bool Soak() {
  const char* value = ::getenv("VCD_E2E_SOAK");
  return value != nullptr && *value != '\0' && *value != '0';
}

class SoakTest : public E2eTest {
 protected:
  std::vector<std::string> RunWords(int number) {
    // Half of them by virtiofs, where that is possible.
    const std::string& rootfs = number % 2 == 0 || ::geteuid() != 0 ? image() : directory();
    return {"run", "--rm", "--memory", "96", "--rootfs", rootfs, "--", "echo", absl::StrCat("pod ", number)};
  }
  void ExpectGreeting(const ProgramResult& result, int number) {
    EXPECT_THAT(result, ExitsWith(0));
    EXPECT_EQ(result.out, absl::StrCat("pod ", number, "\n"));
  }
};

TEST_F(SoakTest, PodsOneAfterAnotherLeaveNothing) {
  for (int i = 0; i < (Soak() ? 20 : 5); ++i) {
    ExpectGreeting(Vc(RunWords(i)), i);
    EXPECT_THAT(SettledLeftovers(), ::testing::IsEmpty()) << "after pod " << i;
  }
}

TEST_F(SoakTest, PodsAtOnceLeaveNothing) {
  for (int round = 0; round < (Soak() ? 5 : 1); ++round) {
    std::vector<std::unique_ptr<Program>> programs;
    for (int i = 0; i < kParallel; ++i) programs.push_back(daemon().StartVc(RunWords(i)));
    for (int i = 0; i < kParallel; ++i) ExpectGreeting(programs[i]->Finish(), i);
    EXPECT_THAT(SettledLeftovers(), ::testing::IsEmpty()) << "after round " << round;
  }
}

}  // namespace
}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
// Machines that get more vCPUs and memory while they run, and less again, as their guests see it.
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "test/e2e/e2e_test.h"

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::Lt;

class ResizeTest : public E2eTest {
 protected:
  void RunSleeper() { Must({"run", "-d", "--id", "box", "--rootfs", image(), "--", "sleep", "1000"}); }

  void Resize(const std::string& cpus, const std::string& memory) {
    Must({"resize", "box", "--cpus", cpus, "--memory", memory});
  }

  std::string Online() { return Trimmed(Exec("box", {"cat", "/sys/devices/system/cpu/online"}).out); }

  // What the guest's kernel has, in MiB: somewhat less than the machine.
  int MemoryMib() {
    const std::string words = Exec("box", {"grep", "MemTotal", "/proc/meminfo"}).out;
    int kib = 0;
    const size_t begin = words.find_first_of("0123456789");
    EXPECT_TRUE(absl::SimpleAtoi(words.substr(begin, words.find(' ', begin) - begin), &kib)) << words;
    return kib >> 10;
  }
};

TEST_F(ResizeTest, GuestsGetVcpusAndMemoryAndGiveThemBack) {
  RunSleeper();
  ASSERT_EQ(Online(), "0");
  const int before = MemoryMib();
  for (int round = 0; round < 50; ++round) {
    Resize("2", "256");
    const bool looked_at = round % 10 == 0 || round == 49;
    if (looked_at) {
      ASSERT_EQ(Online(), "0-1") << round;
      ASSERT_EQ(MemoryMib(), before + 128) << round;
    }
    Resize("1", "128");
    if (!looked_at) continue;
    ASSERT_EQ(Online(), "0") << round;
    ASSERT_EQ(MemoryMib(), before) << round;
  }
  EXPECT_THAT(Must({"inspect", "box"}), AllOf(HasSubstr("\"vcpus\": 1"), HasSubstr("\"memory_mib\": 128")));
  Must({"rm", "-f", "box"});
}

TEST_F(ResizeTest, SizesOutliveTheDaemonAndTheMachine) {
  RunSleeper();
  const int before = MemoryMib();
  Resize("2", "256");
  daemon().Terminate();
  daemon().Start();
  RememberDescriptors();
  EXPECT_EQ(Online(), "0-1");
  EXPECT_EQ(MemoryMib(), before + 128);
  Resize("1", "192");
  EXPECT_EQ(Online(), "0");
  EXPECT_EQ(MemoryMib(), before + 64);
  Must({"stop", "box"});
  Must({"start", "box"});
  EXPECT_EQ(Online(), "0");
  EXPECT_THAT(MemoryMib(), AllOf(Gt(before + 32), Lt(before + 65)));
  Must({"rm", "-f", "box"});
}

TEST_F(ResizeTest, WhatTheMachineWasNotMadeForIsRefusedAndChangesNothing) {
  RunSleeper();
  const int before = MemoryMib();
  const ProgramResult less = Vc({"resize", "box", "--memory", "112"});
  EXPECT_EQ(less.exit_code, 1);
  EXPECT_THAT(less.err, HasSubstr("booted with 128"));
  const ProgramResult more = Vc({"resize", "box", "--cpus", "200"});
  EXPECT_EQ(more.exit_code, 1);
  EXPECT_THAT(more.err, HasSubstr("resources.vcpus"));
  EXPECT_EQ(Online(), "0");
  EXPECT_EQ(MemoryMib(), before);
  Must({"pause", "box"});
  EXPECT_THAT(Vc({"resize", "box", "--cpus", "2"}).err, HasSubstr("resume it first"));
  Must({"rm", "-f", "box"});
}

}  // namespace
}  // namespace vcd

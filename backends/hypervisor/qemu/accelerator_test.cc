// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/accelerator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class AcceleratorTest : public testing::Test {
 protected:
  AcceleratorTest() {
    char root[] = "/tmp/vcd-test-XXXXXX";
    root_ = mkdtemp(root);
    paths_ = {root_ + "/kvm", root_ + "/module"};
    std::filesystem::create_directory(paths_.modules);
  }
  ~AcceleratorTest() override { std::filesystem::remove_all(root_); }

  AcceleratorChoice Choose(const std::string& wanted) {
    auto choice = ChooseAccelerator(wanted, paths_, "f");
    EXPECT_TRUE(choice.ok()) << choice.status();
    return choice.value_or(AcceleratorChoice());
  }

  std::string root_;
  KvmPaths paths_;
};

TEST_F(AcceleratorTest, ConfiguredOnesAreNotProbed) {
  EXPECT_EQ(Choose("kvm").name, "kvm");
  EXPECT_EQ(Choose("tcg").name, "tcg");
  EXPECT_EQ(Choose("tcg").reason, "configured");
}

TEST_F(AcceleratorTest, WithoutADeviceItIsTcgAndSaysWhy) {
  for (const char* wanted : {"", "auto"}) {
    const AcceleratorChoice choice = Choose(wanted);
    EXPECT_EQ(choice.name, "tcg");
    EXPECT_THAT(choice.reason, AllOf(HasSubstr(paths_.device), HasSubstr("No such file")));
  }
}

TEST_F(AcceleratorTest, AFileIsNoKvm) {
  std::ofstream(paths_.device) << "x";
  const AcceleratorChoice choice = Choose("auto");
  EXPECT_EQ(choice.name, "tcg");
  EXPECT_THAT(choice.reason, HasSubstr("is not KVM"));
}

TEST_F(AcceleratorTest, UnknownOnesAreRefusedWithTheKnown) {
  absl::Status status = ChooseAccelerator("hvf", paths_, "hypervisor_config.accelerator").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("hypervisor_config.accelerator"), HasSubstr("hvf"), HasSubstr("auto, kvm, tcg")));
}

// On the real host, whatever it has: an answer, with a reason, in bounded time.
TEST_F(AcceleratorTest, TheHostGetsAnAnswer) {
  auto choice = ChooseAccelerator("auto", KvmPaths(), "f");
  ASSERT_TRUE(choice.ok()) << choice.status();
  EXPECT_FALSE(choice->reason.empty());
  if (std::filesystem::exists("/sys/module/kvm_pvm")) {
    EXPECT_EQ(choice->name, "tcg");
  }
}

}  // namespace
}  // namespace vcd

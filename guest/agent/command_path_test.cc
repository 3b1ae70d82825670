// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/command_path.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd::guest {
namespace {

using ::testing::HasSubstr;

class FindCommandTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/vcd-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    root_ = pattern;
    std::filesystem::create_directories(root_ + "/a/prog");  // A directory of that name is no program.
    std::filesystem::create_directories(root_ + "/b");
    std::filesystem::create_directories(root_ + "/c");
    MakeFile("/b/prog", 0644);
    MakeFile("/b/plain", 0644);
    MakeFile("/c/prog", 0755);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void MakeFile(const std::string& path, mode_t mode) {
    std::ofstream(root_ + path) << "#!/bin/sh\n";
    ASSERT_EQ(::chmod((root_ + path).c_str(), mode), 0);
  }
  std::string Path() const { return root_ + "/none:" + root_ + "/a:" + root_ + "/b:" + root_ + "/c"; }

  std::string root_;
};

TEST_F(FindCommandTest, TakesTheFirstThatMayBeRun) {
  auto found = FindCommand("prog", Path());
  ASSERT_TRUE(found.ok()) << found.outcome().message();
  EXPECT_EQ(*found, root_ + "/c/prog");
}

TEST_F(FindCommandTest, SaysThatAFileIsThereButNotExecutable) {
  const Outcome outcome = FindCommand("plain", Path()).outcome();
  EXPECT_EQ(outcome.code(), ErrorCode::ERROR_CODE_COMMAND_NOT_EXECUTABLE);
  EXPECT_THAT(outcome.message(), HasSubstr(root_ + "/b/plain"));
}

TEST_F(FindCommandTest, NamesTheProgramAndThePathItWasLookedForIn) {
  const Outcome outcome = FindCommand("nowhere", Path()).outcome();
  EXPECT_EQ(outcome.code(), ErrorCode::ERROR_CODE_COMMAND_NOT_FOUND);
  EXPECT_THAT(outcome.message(), HasSubstr("\"nowhere\""));
  EXPECT_THAT(outcome.message(), HasSubstr(Path()));
}

TEST_F(FindCommandTest, ANameWithASlashIsNotLookedFor) {
  EXPECT_EQ(*FindCommand(root_ + "/c/prog", ""), root_ + "/c/prog");
  EXPECT_EQ(FindCommand(root_ + "/nothing", Path()).outcome().code(), ErrorCode::ERROR_CODE_COMMAND_NOT_FOUND);
  EXPECT_EQ(FindCommand(root_ + "/b/plain/x", Path()).outcome().code(), ErrorCode::ERROR_CODE_COMMAND_NOT_FOUND);
  EXPECT_EQ(FindCommand(root_ + "/a/prog", Path()).outcome().code(), ErrorCode::ERROR_CODE_COMMAND_NOT_EXECUTABLE);
}

TEST_F(FindCommandTest, AnEmptyNameIsInvalid) {
  EXPECT_EQ(FindCommand("", Path()).outcome().code(), ErrorCode::ERROR_CODE_INVALID);
}

}  // namespace
}  // namespace vcd::guest

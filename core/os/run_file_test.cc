// SPDX-License-Identifier: Apache-2.0
#include "core/os/run_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace vcd {
namespace {

class RunFileTest : public testing::Test {
 protected:
  RunFileTest() {
    char root[] = "/tmp/vcd-test-XXXXXX";
    root_ = mkdtemp(root);
  }
  ~RunFileTest() override { std::filesystem::remove_all(root_); }

  std::string root_;
};

TEST_F(RunFileTest, TailHoldsWholePrintableLines) {
  std::ofstream(root_ + "/log") << "first line\r\nsecond \x1b[1;31mred\x1b[0m\x07 line\nlast\n\n";
  EXPECT_EQ(ReadLogTail(root_ + "/log", 1000), "first line\nsecond red line\nlast");
  EXPECT_EQ(ReadLogTail(root_ + "/log", 12), "last");
}

TEST_F(RunFileTest, TailOfWhatCannotBeReadIsEmpty) {
  EXPECT_EQ(ReadLogTail(root_ + "/none", 10), "");
  EXPECT_EQ(ReadLogTail(root_, 10), "");
  ASSERT_EQ(mkfifo((root_ + "/fifo").c_str(), 0600), 0);
  EXPECT_EQ(ReadLogTail(root_ + "/fifo", 10), "");
}

TEST_F(RunFileTest, RemovesOnce) {
  std::ofstream(root_ + "/x") << "x";
  EXPECT_TRUE(RemoveFile(root_ + "/x").ok());
  EXPECT_TRUE(RemoveFile(root_ + "/x").ok());
  EXPECT_FALSE(std::filesystem::exists(root_ + "/x"));
  EXPECT_FALSE(RemoveFile(root_).ok());
}

TEST_F(RunFileTest, LogFilesAreAppendedToAndFollowNoLink) {
  std::ofstream(root_ + "/target") << "x";
  std::filesystem::create_symlink(root_ + "/target", root_ + "/link");
  EXPECT_FALSE(OpenLogFile(root_ + "/link").ok());
  auto log = OpenLogFile(root_ + "/target");
  ASSERT_TRUE(log.ok()) << log.status();
  ASSERT_EQ(write(log->get(), "y", 1), 1);
  EXPECT_EQ(ReadLogTail(root_ + "/target", 10), "xy");
}

}  // namespace
}  // namespace vcd

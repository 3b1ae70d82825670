// SPDX-License-Identifier: Apache-2.0
#include "core/os/posix_filesystem.h"

#include <sys/stat.h>
#include <unistd.h>

#include "core/os/testing/temporary_directory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

class PosixFilesystemTest : public testing::Test {
 protected:
  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }
  static mode_t ModeOf(const std::string& path) {
    struct stat status = {};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
    return status.st_mode & 07777;
  }

  TemporaryDirectory directory_;
  PosixFilesystem fs_;
};

TEST_F(PosixFilesystemTest, KeepsOthersOut) {
  const mode_t old = ::umask(0);
  EXPECT_TRUE(fs_.CreateDirectory(Path("d")).ok());
  EXPECT_TRUE(fs_.WriteFile(Path("f"), "").ok());
  ::umask(old);
  EXPECT_EQ(ModeOf(Path("d")), 0750u);
  EXPECT_EQ(ModeOf(Path("f")), 0640u);
}

TEST_F(PosixFilesystemTest, RemoveTreeDoesNotFollowSymbolicLinks) {
  ASSERT_TRUE(fs_.CreateDirectory(Path("kept")).ok());
  ASSERT_TRUE(fs_.WriteFile(Path("kept/file"), "x").ok());
  ASSERT_TRUE(fs_.CreateDirectory(Path("gone")).ok());
  ASSERT_EQ(::symlink(Path("kept").c_str(), Path("gone/link").c_str()), 0);
  EXPECT_TRUE(fs_.RemoveTree(Path("gone")).ok());
  EXPECT_EQ(*fs_.Look(Path("gone")), FileKind::kNone);
  EXPECT_EQ(*fs_.Look(Path("kept/file")), FileKind::kFile);

  ASSERT_EQ(::symlink(Path("kept").c_str(), Path("link").c_str()), 0);
  EXPECT_TRUE(fs_.RemoveTree(Path("link")).ok());
  EXPECT_EQ(*fs_.Look(Path("kept/file")), FileKind::kFile);
}

TEST_F(PosixFilesystemTest, RemoveTreeTakesSocketsAndPipesToo) {
  ASSERT_TRUE(fs_.CreateDirectory(Path("d")).ok());
  ASSERT_EQ(::mkfifo(Path("d/fifo").c_str(), 0600), 0);
  EXPECT_TRUE(fs_.RemoveTree(Path("d")).ok());
}

TEST_F(PosixFilesystemTest, WritingDoesNotFollowSymbolicLinks) {
  ASSERT_EQ(::symlink(Path("elsewhere").c_str(), Path("a").c_str()), 0);
  EXPECT_FALSE(fs_.WriteFile(Path("a"), "x").ok());
  EXPECT_EQ(*fs_.Look(Path("elsewhere")), FileKind::kNone);
}

TEST_F(PosixFilesystemTest, APipeInThePlaceOfAFileDoesNotBlock) {
  ASSERT_EQ(::mkfifo(Path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(*fs_.ReadFile(Path("fifo")), "");
}

TEST_F(PosixFilesystemTest, ReadsFilesOfManyBlocks) {
  const std::string bytes(100000, 'x');
  ASSERT_TRUE(fs_.WriteFile(Path("a"), bytes).ok());
  EXPECT_TRUE(fs_.SyncFile(Path("a")).ok());
  EXPECT_TRUE(fs_.SyncDirectory(directory_.path()).ok());
  EXPECT_EQ(*fs_.ReadFile(Path("a")), bytes);
}

}  // namespace
}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "core/os/file_lock.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/os/testing/temporary_directory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

class FileLockTest : public testing::Test {
 protected:
  absl::StatusOr<FileLock> Try(FileLockMode mode) { return FileLock::Acquire(path_, mode, /*nonblocking=*/true); }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.path() + "/lock";
};

TEST_F(FileLockTest, AnExclusiveLockIsAlone) {
  absl::StatusOr<FileLock> held = Try(FileLockMode::kExclusive);
  ASSERT_TRUE(held.ok()) << held.status();
  EXPECT_EQ(Try(FileLockMode::kExclusive).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Try(FileLockMode::kShared).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(Try(FileLockMode::kShared).status().message()), testing::HasSubstr(path_));
}

TEST_F(FileLockTest, SharedLocksStandTogether) {
  absl::StatusOr<FileLock> one = Try(FileLockMode::kShared);
  absl::StatusOr<FileLock> two = Try(FileLockMode::kShared);
  EXPECT_TRUE(one.ok());
  EXPECT_TRUE(two.ok());
  EXPECT_FALSE(Try(FileLockMode::kExclusive).ok());
}

TEST_F(FileLockTest, IsReleasedByItsDestructorAndByMovingOver) {
  { ASSERT_TRUE(Try(FileLockMode::kExclusive).ok()); }
  absl::StatusOr<FileLock> held = Try(FileLockMode::kExclusive);
  ASSERT_TRUE(held.ok());
  absl::StatusOr<FileLock> other =
      FileLock::Acquire(directory_.path() + "/other", FileLockMode::kExclusive, /*nonblocking=*/true);
  ASSERT_TRUE(other.ok());
  *held = *std::move(other);
  EXPECT_TRUE(Try(FileLockMode::kExclusive).ok());
}

TEST_F(FileLockTest, ALockOnARemovedFileKeepsNobodyOff) {
  absl::StatusOr<FileLock> old = Try(FileLockMode::kExclusive);
  ASSERT_TRUE(old.ok());
  ASSERT_EQ(::remove(path_.c_str()), 0);
  absl::StatusOr<FileLock> fresh = Try(FileLockMode::kExclusive);
  ASSERT_TRUE(fresh.ok());
  old = absl::UnknownError("released");
  EXPECT_FALSE(Try(FileLockMode::kExclusive).ok());
}

TEST_F(FileLockTest, WhatIsNoFileIsNotLockedAndCanBeMovedAside) {
  const std::function<int()> damages[] = {
      [this] { return ::mkdir(path_.c_str(), 0750); },
      [this] { return ::symlink("/etc/passwd", path_.c_str()); },
      [this] { return ::mkfifo(path_.c_str(), 0640); },
  };
  int n = 0;
  for (const auto& damage : damages) {
    ASSERT_EQ(damage(), 0);
    const absl::Status status = Try(FileLockMode::kExclusive).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(path_ + ": is a "));
    EXPECT_EQ(MoveAsideWhatIsNoFile(path_).value(), absl::StrCat(path_, ".damaged-", ++n));
    EXPECT_TRUE(Try(FileLockMode::kExclusive).ok());
    EXPECT_EQ(MoveAsideWhatIsNoFile(path_).value(), "");
    ASSERT_EQ(::remove(path_.c_str()), 0);
  }
}

TEST_F(FileLockTest, WithoutItsDirectoryIsNotFound) {
  EXPECT_EQ(FileLock::Acquire(directory_.path() + "/no/lock", FileLockMode::kShared, true).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace vcd

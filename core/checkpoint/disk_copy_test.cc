// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/disk_copy.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/os/testing/temporary_directory.h"
#include "core/os/unique_fd.h"

namespace vcd {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr off_t kMib = 1 << 20;

CallContext Soon() { return {absl::Now() + absl::Seconds(60), nullptr}; }

// A disk of 24 MiB with something at its beginning, in the middle and in its last byte.
void MakeDisk(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  ASSERT_EQ(::ftruncate(file.get(), 24 * kMib), 0);
  const std::string piece(static_cast<size_t>(kMib), 'x');
  ASSERT_EQ(::pwrite(file.get(), "first", 5, 0), 5);
  ASSERT_EQ(::pwrite(file.get(), piece.data(), piece.size(), 8 * kMib + 4096), kMib);
  ASSERT_EQ(::pwrite(file.get(), "z", 1, 24 * kMib - 1), 1);
}

std::string Content(const std::string& path, size_t most = 64 * kMib) {
  std::string content(std::min<size_t>(most, fs::file_size(path)), '?');
  std::ifstream(path, std::ios::binary).read(content.data(), static_cast<std::streamsize>(content.size()));
  return content;
}

// Within one file system, whatever it can do, and between two.
TEST(DiskCopyTest, HoldsTheSameAndTakesNoMoreRoom) {
  TemporaryDirectory disk, memory("/dev/shm");
  for (const std::string& from : {disk.path() + "/from", memory.path() + "/from"}) {
    ASSERT_NO_FATAL_FAILURE(MakeDisk(from));
    for (const std::string& to : {disk.path() + "/to", memory.path() + "/to"}) {
      ASSERT_EQ(CopyDisk(from, to, Soon()), absl::OkStatus());
      EXPECT_TRUE(Content(from) == Content(to)) << from << " to " << to;
      struct stat info;
      ASSERT_EQ(::stat(to.c_str(), &info), 0);
      EXPECT_LT(info.st_blocks * 512, 8 * kMib) << from << " to " << to;
      EXPECT_EQ(info.st_mode & 07777u, 0600u);
      // The two are not one.
      std::ofstream(from, std::ios::in | std::ios::out | std::ios::binary) << "other";
      EXPECT_EQ(Content(to, 5), "first");
      std::ofstream(from, std::ios::in | std::ios::out | std::ios::binary) << "first";
      fs::remove(to);
    }
  }
}

TEST(DiskCopyTest, NothingIsLeftOfOneThatFails) {
  TemporaryDirectory directory;
  const std::string from = directory.path() + "/from", to = directory.path() + "/to";
  EXPECT_EQ(CopyDisk(from, to, Soon()).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(CopyDisk(directory.path(), to, Soon()).code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_NO_FATAL_FAILURE(MakeDisk(from));
  Cancellation cancellation;
  cancellation.Cancel(absl::AbortedError("preempted"));
  // Where blocks can be shared all is done at once.
  const absl::Status cancelled = CopyDisk(from, to, {absl::InfiniteFuture(), &cancellation});
  EXPECT_EQ(fs::exists(to), cancelled.ok());
  fs::remove(to);
  // What is there stays.
  std::ofstream(to) << "mine";
  EXPECT_EQ(CopyDisk(from, to, Soon()).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Content(to), "mine");
}

TEST(DiskCopyTest, FullDiskIsToldAndLeftAsItWas) {
  TemporaryDirectory directory;
  const std::string small = directory.path() + "/small", from = directory.path() + "/from";
  fs::create_directory(small);
  if (::mount("tmpfs", small.c_str(), "tmpfs", 0, "size=512k") != 0) GTEST_SKIP() << "mounting is root's";
  MakeDisk(from);
  const absl::Status full = CopyDisk(from, small + "/to", Soon());
  const bool empty = fs::is_empty(small);
  EXPECT_EQ(::umount(small.c_str()), 0);
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
  EXPECT_THAT(std::string(full.message()), HasSubstr(from));
  EXPECT_TRUE(empty);
}

}  // namespace
}  // namespace vcd

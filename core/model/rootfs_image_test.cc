// SPDX-License-Identifier: Apache-2.0
#include "core/model/rootfs_image.h"

#include <sys/stat.h>

#include <fstream>

#include "core/os/testing/temporary_directory.h"
#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;

class RootfsImageTest : public testing::Test {
 protected:
  // A file of `size` zeros with `magic` at `offset`.
  std::string Image(size_t size, size_t offset, const std::string& magic) {
    std::string bytes(size, '\0');
    bytes.replace(offset, magic.size(), magic);
    const std::string path = directory_.path() + "/image";
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  TemporaryDirectory directory_;
};

TEST_F(RootfsImageTest, KnowsThemByTheirSuperblocks) {
  EXPECT_EQ(*DetectRootfsImage(Image(4096, 1024, "\xe2\xe1\xf5\xe0")), "erofs");
  EXPECT_EQ(*DetectRootfsImage(Image(100, 0, "hsqs")), "squashfs");
  EXPECT_EQ(*DetectRootfsImage(Image(4096, 1080, "\x53\xef")), "ext4");
  EXPECT_EQ(*DetectRootfsImage(Image(4096, 0, "XFSB")), "xfs");
}

TEST_F(RootfsImageTest, SaysWhatItFoundInstead) {
  struct {
    std::string path;
    std::string problem;
  } const cases[] = {
      {Image(4096, 0,
             "\x7f"
             "ELF"),
       "none of erofs, squashfs, ext4 and xfs"},
      {directory_.path(), "is a directory; use rootfs.directory"},
      {"/dev/null", "neither a file nor a block device"},
  };
  for (const auto& c : cases) {
    const absl::Status status = DetectRootfsImage(c.path).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.path));
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.problem));
  }
}

TEST_F(RootfsImageTest, EmptyMissingAndShortFiles) {
  EXPECT_THAT(std::string(DetectRootfsImage(Image(0, 0, "")).status().message()), HasSubstr("is empty"));
  EXPECT_EQ(DetectRootfsImage(Image(1025, 1024, "\xe2")).status().code(), absl::StatusCode::kInvalidArgument);
  const absl::Status missing = DetectRootfsImage(directory_.path() + "/none").status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()), HasSubstr("/none"));
}

TEST_F(RootfsImageTest, APipeDoesNotBlock) {
  const std::string path = directory_.path() + "/fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_FALSE(DetectRootfsImage(path).ok());
}

TEST_F(RootfsImageTest, DirectoriesAreCheckedByTheirField) {
  EXPECT_TRUE(CheckRootfsDirectory(directory_.path(), "f").ok());
  EXPECT_THAT(std::string(CheckRootfsDirectory(Image(1, 0, "x"), "f").message()), HasSubstr("is not a directory"));
  const absl::Status missing = CheckRootfsDirectory(directory_.path() + "/none", "config.rootfs.directory.path");
  EXPECT_EQ(missing.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(DetailOf(missing)->metadata.at("field"), "config.rootfs.directory.path");
  EXPECT_THAT(std::string(missing.message()), HasSubstr("No such file"));
}

}  // namespace
}  // namespace vcd

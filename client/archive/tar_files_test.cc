// SPDX-License-Identifier: Apache-2.0
#include "client/archive/tar_files.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/files/file_tree.h"

namespace vcd::client {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class TarFilesTest : public testing::Test {
 protected:
  TarFilesTest() {
    char pattern[] = "/tmp/vcd-test-XXXXXX";
    root_ = ::mkdtemp(pattern);
    fs::create_directories(root_ + "/from/tree/sub/empty");
    fs::create_directory(root_ + "/to");
  }
  ~TarFilesTest() override { fs::remove_all(root_); }

  absl::Status Pack(const std::string& path, const PackOptions& options) {
    archive_.clear();
    const absl::StatusOr<SkippedNames> packed = PackFiles(path, options, [this](absl::string_view bytes) {
      archive_.append(bytes.data(), bytes.size());
      return absl::OkStatus();
    });
    if (packed.ok()) skipped_ = *packed;
    return packed.status();
  }
  absl::StatusOr<UnpackResult> Unpack(const std::string& name) {
    size_t at = 0;
    return UnpackFiles(root_ + "/to", name, [&]() -> absl::StatusOr<std::string> {
      const std::string piece = archive_.substr(at, 3000);
      at += piece.size();
      return piece;
    });
  }

  std::string root_, archive_;
  SkippedNames skipped_;
};

TEST_F(TarFilesTest, DeviceNodesAreSkippedAndNamed) {
  if (::geteuid() != 0) GTEST_SKIP() << "making device nodes takes root";
  const std::string tree = root_ + "/from/tree";
  ASSERT_EQ(::mknod((tree + "/a-null").c_str(), S_IFCHR | 0600, ::makedev(1, 3)), 0);
  PutFile(tree + "/b", "after it");
  ASSERT_TRUE(Pack(tree, {"copy", false}).ok());
  EXPECT_THAT(skipped_, testing::ElementsAre(tree + "/a-null"));
  ASSERT_TRUE(Unpack("copy").ok());
  EXPECT_EQ(FileText(root_ + "/to/copy/b"), "after it");
  EXPECT_FALSE(fs::exists(root_ + "/to/copy/a-null"));
}

TEST_F(TarFilesTest, TreeComesBackAsItWasUnderAnotherName) {
  const std::string tree = root_ + "/from/tree";
  PutFile(tree + "/a", "hello");
  PutFile(tree + "/binary", std::string("\0\n\xff", 3) + std::string(300000, '\7'));
  PutFile(tree + "/" + std::string(200, 'n'), "long name");
  fs::create_hard_link(tree + "/a", tree + "/sub/same");
  fs::create_symlink("/etc/passwd", tree + "/absolute");
  fs::create_symlink("../a", tree + "/sub/up");
  ::mkfifo((tree + "/pipe").c_str(), 0640);
  ::chmod((tree + "/a").c_str(), 0741);
  ::chmod((tree + "/sub").c_str(), 0500);
  // A file of holes, which come as zeros.
  PutFile(tree + "/holes", "begin");
  fs::resize_file(tree + "/holes", 5 << 20);

  ASSERT_EQ(Pack(tree, {"copy", false}), absl::OkStatus());
  const absl::StatusOr<UnpackResult> result = Unpack("other");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(TreeListing(root_ + "/to/other"), TreeListing(tree));
  EXPECT_EQ(ShellOutput("diff -r --no-dereference -x pipe " + tree + " " + root_ + "/to/other"), "");
}

TEST_F(TarFilesTest, ContentAloneGoesIntoTheDirectoryItself) {
  PutFile(root_ + "/from/tree/a", "hello");
  ASSERT_EQ(Pack(root_ + "/from/tree", {"", false}), absl::OkStatus());
  PutFile(root_ + "/tar", archive_);
  EXPECT_EQ(ShellOutput("tar -tf " + root_ + "/tar | sort"), "a\nsub/\nsub/empty/\n");
  ASSERT_EQ(Pack(root_ + "/from/tree", {"tree", false}), absl::OkStatus());
  ASSERT_TRUE(Unpack("").ok());
  EXPECT_EQ(FileText(root_ + "/to/a"), "hello");
}

TEST_F(TarFilesTest, LinkIsPackedOrFollowed) {
  fs::create_symlink("tree", root_ + "/from/link");
  ASSERT_EQ(Pack(root_ + "/from/link", {"link", false}), absl::OkStatus());
  EXPECT_FALSE(*BeginsWithDirectory(archive_));
  ASSERT_EQ(Pack(root_ + "/from/link", {"link", true}), absl::OkStatus());
  EXPECT_TRUE(*BeginsWithDirectory(archive_));
}

TEST_F(TarFilesTest, NothingIsWrittenOutsideOfTheDirectory) {
  fs::create_directory(root_ + "/outside");
  PutFile(root_ + "/from/file", "evil");
  const auto make = [this](const std::string& arguments) {
    ShellOutput("cd " + root_ + "/from && tar -P -cf " + root_ + "/tar " + arguments);
    archive_ = FileText(root_ + "/tar");
  };
  make("--transform 's,^file,top/../../outside/x,' file");
  EXPECT_FALSE(Unpack("top").ok());
  make("--transform 's,^file,top/../../outside/x,' file");
  EXPECT_FALSE(Unpack("").ok());
  fs::create_symlink(root_ + "/outside", root_ + "/from/l");
  make("--transform 's,^,top/,' l && tar -P -rf ../tar --transform 's,^file,top/l/x,' file");
  EXPECT_FALSE(Unpack("top").ok());
  EXPECT_TRUE(fs::is_empty(root_ + "/outside"));
  // An absolute name loses its first part like any other, and stays below.
  make("--transform 's,^file," + root_ + "/outside/x,' file");
  (void)Unpack("top");
  EXPECT_TRUE(fs::is_empty(root_ + "/outside"));
}

TEST_F(TarFilesTest, CutArchivesAndErrorsOfTheSourceAreTold) {
  PutFile(root_ + "/from/file", std::string(100000, 'x'));
  ASSERT_EQ(Pack(root_ + "/from/file", {"file", false}), absl::OkStatus());
  archive_.resize(50000);
  EXPECT_FALSE(Unpack("file").ok());
  const auto failing = []() -> absl::StatusOr<std::string> { return absl::UnavailableError("the daemon has gone"); };
  EXPECT_EQ(UnpackFiles(root_ + "/to", "x", failing).status(), absl::UnavailableError("the daemon has gone"));
  const absl::Status refused = absl::CancelledError("no more");
  EXPECT_EQ(PackFiles(root_ + "/from/file", {"file", false}, [&](absl::string_view) { return refused; }).status(),
            refused);
  EXPECT_THAT(std::string(Pack(root_ + "/nothing", {"x", false}).message()), HasSubstr("No such file"));
}

}  // namespace
}  // namespace vcd::client

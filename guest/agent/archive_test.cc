// SPDX-License-Identifier: Apache-2.0
// Packing and unpacking on real files, also against the tar program.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/os/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "guest/agent/archive_reader.h"
#include "guest/agent/archive_writer.h"
#include "guest/agent/tar_format.h"
#include "test/files/file_tree.h"

namespace vcd::guest {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ArchiveTest : public ::testing::Test {
 protected:
  ArchiveTest() {
    char pattern[] = "/tmp/vcd-test-XXXXXX";
    root_ = ::mkdtemp(pattern);
    fs::create_directory(root_ + "/from");
    fs::create_directory(root_ + "/to");
  }
  ~ArchiveTest() override { fs::remove_all(root_); }

  Outcome Pack(const std::string& path, const PackOptions& options = {}) {
    const UniqueFd out(::open((root_ + "/tar").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600));
    return PackArchive(path, options, out.get());
  }
  Outcome Unpack(const std::string& path, const UnpackOptions& options = {}) {
    const UniqueFd in(::open((root_ + "/tar").c_str(), O_RDONLY));
    return UnpackArchive(path, options, in.get());
  }
  // An archive of these entries, with their names as content.
  Outcome UnpackEntries(const std::vector<TarEntry>& entries) {
    std::string bytes;
    for (TarEntry entry : entries) {
      const std::string content = entry.type == TarType::kFile ? "content" : "";
      entry.size = content.size();
      bytes += FormatTarEntry(entry) + content + std::string(TarPadding(content.size()), '\0');
    }
    std::ofstream(root_ + "/tar", std::ios::binary) << bytes << std::string(kTarEndSize, '\0');
    return Unpack(root_ + "/to");
  }
  static TarEntry Entry(TarType type, const std::string& name, const std::string& link = "") {
    TarEntry entry;
    entry.type = type;
    entry.name = name;
    entry.link = link;
    entry.mode = type == TarType::kDirectory ? 0755 : 0644;
    return entry;
  }
  void MakeTree() {
    const std::string tree = root_ + "/from/tree";
    fs::create_directories(tree + "/sub/empty");
    fs::create_directories(tree + "/" + std::string(200, 'd') + "/" + std::string(200, 'e'));
    PutFile(tree + "/" + std::string(200, 'd') + "/" + std::string(200, 'e') + "/deep", "deep");
    PutFile(tree + "/a", "hello\n");
    PutFile(tree + "/zero", "");
    PutFile(tree + "/binary", std::string("\0\n\xff\x80", 4) + std::string(300000, '\7'));
    PutFile(tree + "/name with \"quotes\"\nand lines", "x");
    fs::create_hard_link(tree + "/a", tree + "/sub/same");
    fs::create_symlink("/etc/passwd", tree + "/absolute");
    fs::create_symlink("../a", tree + "/sub/up");
    fs::create_symlink(std::string(300, 'l'), tree + "/long");
    ::mkfifo((tree + "/pipe").c_str(), 0640);
    ::chmod((tree + "/a").c_str(), 04711);
    ::chmod((tree + "/sub").c_str(), 0500);
    const timespec times[2] = {{1, 0}, {1234567890, 123456789}};
    ::utimensat(AT_FDCWD, (tree + "/a").c_str(), times, 0);
    ::utimensat(AT_FDCWD, (tree + "/absolute").c_str(), times, AT_SYMLINK_NOFOLLOW);
    ::utimensat(AT_FDCWD, (tree + "/sub").c_str(), times, 0);
  }

  std::string root_;
};

TEST_F(ArchiveTest, TreeComesBackAsItWas) {
  MakeTree();
  ASSERT_EQ(Pack(root_ + "/from/tree").message(), "");
  ASSERT_EQ(Unpack(root_ + "/to").message(), "");
  EXPECT_EQ(TreeListing(root_ + "/to/tree"), TreeListing(root_ + "/from/tree"));
  EXPECT_EQ(ShellOutput("diff -r --no-dereference -x pipe " + root_ + "/from/tree " + root_ + "/to/tree"), "");
  // And over itself, where everything is already.
  ASSERT_EQ(Unpack(root_ + "/to").message(), "");
  EXPECT_EQ(TreeListing(root_ + "/to/tree"), TreeListing(root_ + "/from/tree"));
}

TEST_F(ArchiveTest, TarProgramUnderstandsUsAndWeIt) {
  MakeTree();
  ASSERT_EQ(Pack(root_ + "/from/tree").message(), "");
  EXPECT_EQ(ShellOutput("tar -xpf " + root_ + "/tar -C " + root_ + "/to"), "");
  EXPECT_EQ(TreeListing(root_ + "/to/tree"), TreeListing(root_ + "/from/tree"));
  for (const char* format : {"posix", "gnu", "ustar"}) {
    SCOPED_TRACE(format);
    fs::remove_all(root_ + "/to/tree");
    // ustar has no names this long.
    const std::string without = std::string(format) == "ustar" ? " --exclude=dddd* --exclude=long" : "";
    ASSERT_EQ(ShellOutput("tar -c --format=" + std::string(format) + without + " -f " + root_ + "/tar -C " + root_ +
                          "/from tree"),
              "");
    ASSERT_EQ(Unpack(root_ + "/to").message(), "");
    EXPECT_EQ(ShellOutput("diff -r --no-dereference -x pipe -x 'dddd*' -x long " + root_ + "/from/tree " + root_ +
                          "/to/tree"),
              "");
  }
}

TEST_F(ArchiveTest, PathIsPackedUnderItsLastName) {
  fs::create_directory(root_ + "/from/dir");
  PutFile(root_ + "/from/dir/f", "x");
  fs::create_symlink("dir", root_ + "/from/link");
  const auto names = [this] { return ShellOutput("tar -tf " + root_ + "/tar"); };
  ASSERT_TRUE(Pack(root_ + "/from/dir/f").ok());
  EXPECT_EQ(names(), "f\n");
  ASSERT_TRUE(Pack(root_ + "/from/dir/").ok());
  EXPECT_EQ(names(), "dir/\ndir/f\n");
  ASSERT_TRUE(Pack(root_ + "/from/link").ok());
  EXPECT_THAT(ShellOutput("tar -tvf " + root_ + "/tar"), HasSubstr("link -> dir"));
  PackOptions options;
  options.follow_symlink = true;
  ASSERT_TRUE(Pack(root_ + "/from/link", options).ok());
  EXPECT_EQ(names(), "link/\nlink/f\n");
  options.stat_only = true;
  ASSERT_TRUE(Pack(root_ + "/from/link", options).ok());
  EXPECT_EQ(names(), "link/\n");
}

TEST_F(ArchiveTest, MissingPathsAreToldApart) {
  EXPECT_EQ(Pack(root_ + "/nothing").code(), ErrorCode::ERROR_CODE_NOT_FOUND);
  EXPECT_THAT(Pack(root_ + "/nothing").message(), HasSubstr("No such file or directory"));
  PutFile(root_ + "/tar", "");
  EXPECT_EQ(Unpack(root_ + "/nothing").code(), ErrorCode::ERROR_CODE_NOT_FOUND);
  PutFile(root_ + "/file", "");
  EXPECT_EQ(Unpack(root_ + "/file").code(), ErrorCode::ERROR_CODE_NOT_FOUND);
}

TEST_F(ArchiveTest, FilesThatSayTheyAreEmptyComeWhole) {
  ASSERT_EQ(Pack("/proc/version").message(), "");
  ASSERT_TRUE(Unpack(root_ + "/to").ok());
  std::string version;
  std::getline(std::ifstream("/proc/version"), version);
  std::string copied;
  std::getline(std::ifstream(root_ + "/to/version"), copied);
  EXPECT_THAT(version, HasSubstr("Linux"));
  EXPECT_EQ(copied, version);
}

TEST_F(ArchiveTest, SocketsAreLeftOut) {
  fs::create_directory(root_ + "/from/dir");
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (root_ + "/from/dir/socket").copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_TRUE(Pack(root_ + "/from/dir").ok());
  EXPECT_EQ(ShellOutput("tar -tf " + root_ + "/tar"), "dir/\n");
}

// What an archive may try, to write outside of the directory.
TEST_F(ArchiveTest, NothingIsWrittenOutsideOfTheDirectory) {
  fs::create_directory(root_ + "/outside");
  PutFile(root_ + "/outside/file", "mine");
  const TarType kFile = TarType::kFile, kLink = TarType::kSymlink, kHard = TarType::kHardLink,
                kDirectory = TarType::kDirectory;
  const std::string out = root_ + "/outside";
  const std::vector<std::vector<TarEntry>> attacks = {
      {Entry(kFile, "../outside/x")},
      {Entry(kFile, "a/../../outside/x")},
      {Entry(kFile, out + "/x")},
      {Entry(kDirectory, "..")},
      {Entry(kLink, "l", "../outside"), Entry(kFile, "l/x")},
      {Entry(kLink, "m", out), Entry(kFile, "m/x")},
      {Entry(kLink, "n", out), Entry(kDirectory, "n")},
      {Entry(kLink, "o", out), Entry(kFile, "o/y/x")},
      {Entry(kHard, "h", "../outside/file")},
      {Entry(kHard, "h", out + "/file")},
      {Entry(kLink, "q", out), Entry(kHard, "h", "q/file")},
      {Entry(TarType::kCharDevice, "null")},
      {Entry(TarType::kBlockDevice, "disk")},
      {Entry(kFile, "")},
      {Entry(kFile, "./")},
  };
  for (const std::vector<TarEntry>& attack : attacks) {
    SCOPED_TRACE(attack.back().name);
    const Outcome outcome = UnpackEntries(attack);
    EXPECT_TRUE(attack.back().name == "./" || outcome.code() == ErrorCode::ERROR_CODE_INVALID) << outcome.message();
    EXPECT_EQ(ShellOutput("ls " + out), "file\n");
    EXPECT_EQ(FileText(out + "/file"), "mine");
    EXPECT_EQ(fs::hard_link_count(out + "/file"), 1u);
  }
  // A link is replaced by the file of its name, and one that stays inside may be gone through.
  ASSERT_EQ(UnpackEntries({Entry(kLink, "f", out + "/file"), Entry(kFile, "f")}).message(), "");
  EXPECT_EQ(FileText(out + "/file"), "mine");
  EXPECT_EQ(FileText(root_ + "/to/f"), "content");
  ASSERT_EQ(UnpackEntries({Entry(kDirectory, "usr/lib"), Entry(kLink, "lib", "usr/lib"), Entry(kDirectory, "lib"),
                           Entry(kFile, "lib/x")})
                .message(),
            "");
  EXPECT_EQ(FileText(root_ + "/to/usr/lib/x"), "content");
}

TEST_F(ArchiveTest, FilesAndDirectoriesDoNotReplaceEachOther) {
  fs::create_directory(root_ + "/to/d");
  PutFile(root_ + "/to/d/kept", "kept");
  PutFile(root_ + "/to/f", "");
  EXPECT_THAT(UnpackEntries({Entry(TarType::kFile, "d")}).message(), HasSubstr("is a directory in the container"));
  EXPECT_THAT(UnpackEntries({Entry(TarType::kDirectory, "f")}).message(), HasSubstr("none in the container"));
  EXPECT_THAT(UnpackEntries({Entry(TarType::kFile, "f/x")}).message(), HasSubstr("no directory"));
  ASSERT_EQ(UnpackEntries({Entry(TarType::kDirectory, "d"), Entry(TarType::kFile, "d/new")}).message(), "");
  EXPECT_EQ(FileText(root_ + "/to/d/kept"), "kept");
  EXPECT_EQ(FileText(root_ + "/to/d/new"), "content");
  ASSERT_EQ(UnpackEntries({Entry(TarType::kFile, "no/such/parent")}).message(), "");
}

TEST_F(ArchiveTest, AllButDeviceNodesIsUnpacked) {
  PutFile(root_ + "/to/was", "kept");
  const Outcome unpacked = UnpackEntries({Entry(TarType::kDirectory, "d"), Entry(TarType::kCharDevice, "d/null"),
                                          Entry(TarType::kBlockDevice, "was"), Entry(TarType::kFile, "d/after")});
  EXPECT_THAT(unpacked.message(), HasSubstr("device nodes, which are not made: \"d/null\" and 1 more"));
  EXPECT_EQ(FileText(root_ + "/to/d/after"), "content");
  EXPECT_EQ(FileText(root_ + "/to/was"), "kept");
  EXPECT_FALSE(fs::exists(root_ + "/to/d/null"));
}

TEST_F(ArchiveTest, WhatWasUnpackedBeforeAFailureCanBeUsed) {
  EXPECT_FALSE(
      UnpackEntries({Entry(TarType::kDirectory, "d"), Entry(TarType::kFile, "d/f"), Entry(TarType::kFile, "../out")})
          .ok());
  EXPECT_EQ(FileText(root_ + "/to/d/f"), "content");
  EXPECT_EQ(fs::status(root_ + "/to/d").permissions(), fs::perms(0755));
}

TEST_F(ArchiveTest, HalfAFileIsNotLeft) {
  TarEntry entry = Entry(TarType::kFile, "half");
  entry.size = 100000;
  std::ofstream(root_ + "/tar", std::ios::binary) << FormatTarEntry(entry) << std::string(5000, 'x');
  EXPECT_FALSE(Unpack(root_ + "/to").ok());
  EXPECT_FALSE(fs::exists(root_ + "/to/half"));
}

TEST_F(ArchiveTest, OwnersAreKeptOnlyWhenAskedFor) {
  PutFile(root_ + "/from/f", "x");
  if (::chown((root_ + "/from/f").c_str(), 12345, 54321) != 0) GTEST_SKIP() << "needs root to give files away";
  ASSERT_TRUE(Pack(root_ + "/from/f").ok());
  struct stat status {};
  ASSERT_TRUE(Unpack(root_ + "/to").ok());
  ASSERT_EQ(::stat((root_ + "/to/f").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, ::geteuid());
  UnpackOptions options;
  options.keep_owner = true;
  ASSERT_TRUE(Unpack(root_ + "/to", options).ok());
  ASSERT_EQ(::stat((root_ + "/to/f").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 12345u);
  EXPECT_EQ(status.st_gid, 54321u);
}

}  // namespace
}  // namespace vcd::guest

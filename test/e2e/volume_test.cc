// SPDX-License-Identifier: Apache-2.0
// The host's files, images and devices in containers of real machines.
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "test/e2e/e2e_test.h"
#include "test/e2e/rootfs_fixture.h"

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class VolumeTest : public E2eTest {
 protected:
  void SetUp() override {
    E2eTest::SetUp();
    std::filesystem::create_directories(Path("data"));
    Write("data/file", "of the host\n");
  }

  std::string Path(const std::string& name) { return daemon().directory() + "/" + name; }
  void Write(const std::string& name, const std::string& content) { std::ofstream(Path(name)) << content; }
  std::string Read(const std::string& name) {
    std::ifstream file(Path(name));
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  // An empty file system of its own.
  std::string MakeDisk(const std::string& name, const std::vector<std::string>& make, const std::string& size) {
    const std::string path = Path(name);
    std::ofstream(path).close();
    std::filesystem::resize_file(path, std::stoul(size) << 20);
    std::vector<std::string> argv = make;
    argv.push_back(path);
    EXPECT_THAT(RunProgram(argv), ExitsWith(0));
    return path;
  }
  std::string MakeExt4(const std::string& name) {
    return MakeDisk(name, {"/usr/sbin/mke2fs", "-q", "-t", "ext4"}, "16");
  }
  // A file on an ext4 that no guest has any more; the file system must be whole.
  std::string ReadInImage(const std::string& image, const std::string& file) {
    EXPECT_THAT(RunProgram({"/usr/sbin/e2fsck", "-f", "-n", image}), ExitsWith(0));
    return RunProgram({"/usr/sbin/debugfs", "-R", absl::StrCat("cat ", file), image}).out;
  }
};

TEST_F(VolumeTest, HostDirectoriesAndFilesAreSeenAndWritten) {
  VCD_SKIP_UNLESS_ROOT();
  Write("single", "a file\n");
  const ProgramResult result = RunIn(
      image(), {"-v", Path("data") + ":/data", "-v", Path("data") + ":/read:ro", "-v", Path("single") + ":/etc/plain"},
      {"sh", "-c",
       "cat /data/file /etc/plain; echo of the guest > /data/made; echo more >> /etc/plain; "
       "(echo x > /read/file) 2>&1 | grep -o 'Read-only file system'; cat /read/made"});
  EXPECT_THAT(result, ExitsWith(0));
  EXPECT_EQ(result.out, "of the host\na file\nRead-only file system\nof the guest\n");
  EXPECT_EQ(Read("data/made"), "of the guest\n");
  EXPECT_EQ(Read("single"), "a file\nmore\n");
  EXPECT_EQ(Read("data/file"), "of the host\n");
}

TEST_F(VolumeTest, ADiskIsWrittenAndKeepsWhatWasWritten) {
  const std::string disk = MakeExt4("disk.img");
  const ProgramResult result = RunIn(image(), {"--mount", absl::StrCat("type=ext4,src=", disk, ",dst=/disk")},
                                     {"sh", "-c", "grep -o ' /disk ext4 rw' /proc/mounts; echo kept > /disk/file"});
  EXPECT_THAT(result, ExitsWith(0));
  EXPECT_EQ(result.out, " /disk ext4 rw\n");
  EXPECT_EQ(ReadInImage(disk, "file"), "kept\n");

  const ProgramResult read = RunIn(image(), {"--mount", absl::StrCat("type=ext4,src=", disk, ",dst=/disk,ro")},
                                   {"sh", "-c", "cat /disk/file; (echo x > /disk/file) 2>&1 | grep -o 'Read-only.*'"});
  EXPECT_EQ(read.out, "kept\nRead-only file system\n") << read.err;
}

TEST_F(VolumeTest, OtherFileSystemsAreMountedToo) {
  const std::string xfs = MakeDisk("disk.xfs", {"/usr/sbin/mkfs.xfs", "-q"}, "300");
  const ProgramResult result =
      RunIn(image(),
            {"--mount", absl::StrCat("type=xfs,src=", xfs, ",dst=/xfs"), "--mount",
             absl::StrCat("type=squashfs,src=", image("squashfs"), ",dst=/squashfs"), "--mount",
             absl::StrCat("type=erofs,src=", image(), ",dst=/erofs")},
            {"sh", "-c", "echo x > /xfs/file && cat /xfs/file; ls /squashfs/etc; ls /erofs/etc"});
  EXPECT_THAT(result, ExitsWith(0));
  EXPECT_EQ(result.out, "x\ngroup\npasswd\nplain\ngroup\npasswd\nplain\n");
}

TEST_F(VolumeTest, ARootFileSystemOfItsOwnKeepsWhatWasWritten) {
  const std::string root = Path("root.img");
  MakeImage(directory(), "ext4", root);
  const ProgramResult result = RunIn(root, {"--rootfs-writable"}, {"sh", "-c", "echo kept > /root/file"});
  EXPECT_THAT(result, ExitsWith(0));
  EXPECT_EQ(ReadInImage(root, "root/file"), "kept\n");
  const ProgramResult read = RunIn(root, {"--rootfs-writable", "--read-only"},
                                   {"sh", "-c", "cat /root/file; echo x > /root/x || echo refused"});
  EXPECT_EQ(read.out, "kept\nrefused\n") << read.err;
}

TEST_F(VolumeTest, ContainersOfAPodShareItsVolume) {
  VCD_SKIP_UNLESS_ROOT();
  Must({"run", "-d", "--id", "web", "--rootfs", image(), "--volume-tag", absl::StrCat("shared:", Path("data")), "-v",
        "shared:/data", "--", "sleep", "1000"});
  Must({"container", "create", "--id", "side", "--rootfs", image(), "-v", "shared:/there:ro", "web", "--", "sleep",
        "1000"});
  Must({"container", "start", "web", "side"});
  EXPECT_THAT(Exec("web", {"sh", "-c", "echo of main > /data/message"}), ExitsWith(0));
  EXPECT_EQ(Must({"exec", "-c", "side", "web", "--", "cat", "/there/message"}), "of main\n");
  EXPECT_EQ(Read("data/message"), "of main\n");
  const ProgramResult refused = Vc({"container", "create", "--rootfs", image(), "-v", "none:/x", "web", "--", "true"});
  EXPECT_THAT(refused.err, AllOf(HasSubstr("mounts[0].source"), HasSubstr("it has shared")));
  Must({"rm", "-f", "web"});
}

TEST_F(VolumeTest, ADeviceOfTheHostIsADeviceOfTheGuest) {
  if (::geteuid() != 0) GTEST_SKIP() << "making device nodes takes root";
  Write("raw.img", std::string(1 << 20, 'x'));
  const std::pair<const char*, dev_t> nodes[] = {
      {"fuse", makedev(10, 229)}, {"tun", makedev(10, 200)}, {"tty", makedev(4, 64)}};
  for (const auto& [name, number] : nodes) ASSERT_EQ(mknod(Path(name).c_str(), S_IFCHR | 0600, number), 0);
  const ProgramResult result = RunIn(
      image(),
      {"--device", absl::StrCat(Path("raw.img"), ":/dev/raw"), "--device", absl::StrCat(image(), ":/dev/ro:ro"),
       "--device", absl::StrCat(Path("fuse"), ":/dev/fuse"), "--device", absl::StrCat(Path("tun"), ":/dev/net/tun")},
      {"sh", "-c",
       "dd if=/dev/raw bs=4 count=1 2>/dev/null; echo; printf written | dd of=/dev/raw bs=512 conv=notrunc,fsync "
       "2>/dev/null; (echo x > /dev/ro) 2>/dev/null || echo refused; "
       "for i in /dev/fuse /dev/net/tun; do exec 3<>$i && echo open; done"});
  EXPECT_EQ(result.out, "xxxx\nrefused\nopen\nopen\n") << result.err;
  EXPECT_EQ(Read("raw.img").substr(0, 8), "writtenx");
  EXPECT_THAT(RunIn(image(), {"--device", absl::StrCat(Path("tty"), ":/dev/tty9")}, {"true"}).err,
              AllOf(HasSubstr("devices[0].host_path"), HasSubstr("character device")));
}

TEST_F(VolumeTest, ManyRoundsOfAttachingLeaveNothing) {
  constexpr int kRounds = 20;
  const std::string disk = MakeExt4("disk.img");
  Write("raw.img", std::string(4096, 'x'));
  RunDetached("web", {"sleep", "1000"});
  // With its own root disk.
  const std::string count = "ls /sys/block | grep -c '^sd'";
  EXPECT_EQ(Must({"exec", "web", "--", "sh", "-c", count}), "1\n");
  for (int round = 0; round < kRounds; ++round) {
    Must({"container", "create", "--id", "side", "--rootfs", image(), "--mount",
          absl::StrCat("type=ext4,src=", disk, ",dst=/disk"), "--device", absl::StrCat(Path("raw.img"), ":/dev/raw"),
          "web", "--", "sh", "-c", "echo x >> /disk/rounds"});
    Must({"container", "start", "web", "side"});
    Must({"wait", "-c", "side", "web"});
    Must({"container", "rm", "web", "side"});
  }
  EXPECT_EQ(Must({"exec", "web", "--", "sh", "-c", count}), "1\n");
  Must({"rm", "-f", "web"});
  std::string rounds;
  for (int round = 0; round < kRounds; ++round) rounds += "x\n";
  EXPECT_EQ(ReadInImage(disk, "rounds"), rounds);
}

}  // namespace
}  // namespace vcd

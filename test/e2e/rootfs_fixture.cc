// SPDX-License-Identifier: Apache-2.0
#include "test/e2e/rootfs_fixture.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "test/e2e/program.h"

namespace vcd {
namespace {

constexpr char kBusybox[] = "/bin/busybox";

constexpr const char* kApplets[] = {
    "cat",  "chmod", "cp",    "date",   "dd",  "echo",  "env", "false", "grep",   "head",  "hostname",  "id",    "kill",
    "ls",   "mkdir", "mount", "printf", "ps",  "pwd",   "rm",  "seq",   "setsid", "sh",    "sha256sum", "sleep", "stat",
    "stty", "sync",  "tail",  "test",   "top", "touch", "tr",  "true",  "tty",    "uname", "vi",        "wc",    "yes",
};

void WriteText(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.close();
  EXPECT_TRUE(file.good()) << path;
}

}  // namespace

void MakeBusyboxDirectory(const std::string& directory) {
  namespace fs = std::filesystem;
  const fs::path root(directory);
  for (const char* name : {"bin", "dev", "etc", "home/alice", "proc", "root", "sys", "tmp"}) {
    fs::create_directories(root / name);
  }
  ASSERT_TRUE(fs::exists(kBusybox)) << kBusybox << " is missing: run tools/setup.sh";
  fs::copy_file(kBusybox, root / "bin/busybox");
  for (const char* applet : kApplets) fs::create_symlink("busybox", root / "bin" / applet);
  WriteText(root / "etc/passwd", "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000:Alice:/home/alice:/bin/sh\n");
  WriteText(root / "etc/group", "root:x:0:\nstaff:x:50:alice\nalice:x:1000:\n");
  WriteText(root / "etc/plain", "#!/bin/sh\n");
  fs::permissions(root / "tmp", fs::perms::all | fs::perms::sticky_bit);
}

void MakeImage(const std::string& directory, const std::string& fs_type, const std::string& image) {
  std::vector<std::string> argv;
  if (fs_type == "erofs") {
    argv = {"/usr/bin/mkfs.erofs", "--all-root", image, directory};
  } else if (fs_type == "squashfs") {
    argv = {"/usr/bin/mksquashfs", directory, image, "-all-root", "-noappend", "-quiet", "-no-progress"};
  } else {
    argv = {"/usr/sbin/mke2fs", "-q", "-t", "ext4", "-d", directory, image, "16M"};
  }
  const ProgramResult result = RunProgram(argv);
  ASSERT_EQ(result.exit_code, 0) << argv[0] << ": " << result.out << result.err;
}

}  // namespace vcd

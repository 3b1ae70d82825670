// SPDX-License-Identifier: Apache-2.0
// What a guest sees of the host's files: what is shared, and nothing beyond, whatever the files are.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/os/unique_fd.h"
#include "test/e2e/e2e_test.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class SharesTest : public E2eTest {
 protected:
  void SetUp() override {
    VCD_SKIP_UNLESS_ROOT();
    E2eTest::SetUp();
  }
  void TearDown() override {
    if (::geteuid() == 0) E2eTest::TearDown();
  }
  std::string MakeText(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  // Runs a script in a container that may do what the guest's root may.
  ProgramResult RunScript(const std::string& script, std::vector<std::string> options = {}) {
    options.insert(options.end(), {"--cap-add", "SYS_ADMIN"});
    return RunIn(directory(), options, {"/bin/sh", "-c", script});
  }
};

TEST_F(SharesTest, LinksAndDevicesLeadNowhereOnTheHost) {
  const std::string secret = MakeText(daemon().directory() + "/secret", "of the host");
  const std::string up = "../../../../../../../../../..";
  std::filesystem::create_symlink(secret, directory() + "/absolute");
  std::filesystem::create_symlink(up + secret, directory() + "/relative");
  std::filesystem::create_directory_symlink(up + daemon().directory(), directory() + "/directory");
  std::filesystem::create_directory_symlink("/proc/1/root", directory() + "/magic");
  // The host's first disk and its memory, as the host numbers them.
  struct stat disk {};
  ASSERT_EQ(::stat(daemon().directory().c_str(), &disk), 0);
  ASSERT_EQ(::mknod((directory() + "/disk").c_str(), S_IFBLK | 0666, disk.st_dev), 0);
  ASSERT_EQ(::mknod((directory() + "/kmsg").c_str(), S_IFCHR | 0666, makedev(1, 11)), 0);
  ASSERT_EQ(::mkfifo((directory() + "/fifo").c_str(), 0666), 0);
  const ProgramResult result =
      RunScript("for f in /absolute /relative /directory/secret /magic" + secret +
                "; do cat $f && echo LEAK $f; done; "
                "ls " +
                up +
                "/ | tr '\\n' ' '; "
                "for f in /disk /kmsg; do dd if=$f bs=512 count=1 > /dev/null && echo LEAK $f; done; "
                // A pipe of the guest's own, whose two ends find each other in the guest.
                "(echo through > /fifo) & cat /fifo; wait; exit 0");
  EXPECT_THAT(result, ExitsWith(0)) << result.err;
  EXPECT_THAT(result.out, Not(HasSubstr("of the host")));
  EXPECT_THAT(result.out, Not(HasSubstr("LEAK")));
  EXPECT_THAT(result.out, HasSubstr("absolute bin "));
  EXPECT_THAT(result.out, HasSubstr("through\n"));
  EXPECT_THAT(result.err, HasSubstr("'/relative': No such file"));
}

TEST_F(SharesTest, NobodyInTheHostAnswersASocketInAShare) {
  // A listening socket of the host has a name in the share.
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = directory() + "/sock";
  ASSERT_LT(path.size(), sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  const ProgramResult result =
      RunScript("test -S /sock && echo there; cat /sock; busybox nc local:/sock < /dev/null; exit 0");
  EXPECT_THAT(result, ExitsWith(0));
  EXPECT_EQ(result.out, "there\n");
  EXPECT_LT(::accept(listener.get(), nullptr, nullptr), 0);
}

TEST_F(SharesTest, NamesAreBytes) {
  const std::string longest(255, 'n');
  const std::string names = directory() + "/names";
  std::filesystem::create_directory(names);
  for (const std::string& name : {std::string("new\nline"), longest, std::string("\xff\xfe not UTF-8"),
                                  std::string("-rf"), std::string("a,b\\c\"d'e $(x) *")}) {
    MakeText(names + "/" + name, "[" + name + "]");
  }
  std::filesystem::create_hard_link(names + "/" + longest, names + "/hard");
  const ProgramResult result = RunScript(
      "cd /names; for f in *; do test \"$(cat \"./$f\")\" = \"[$f]\" && echo same; done; echo more >> hard; cat " +
      longest + " | tail -n 1; stat -c %h hard");
  EXPECT_THAT(result, ExitsWith(0)) << result.err;
  EXPECT_EQ(result.out, "same\nsame\nsame\nsame\nsame\n[" + longest + "]more\n2\n");
}

TEST_F(SharesTest, RootOfSharesHoldsNothingElseAndTakesNothing) {
  const ProgramResult result = RunScript(
      "mount -t virtiofs vcd /home && ls /home | wc -l; ls -a /home/.. | head -n 3 | tr '\\n' ' '; "
      "mkdir /home/made; touch /home/made; rm -r /home/* /home/.[a-z]*; mount -o remount,rw /home; chmod 777 /home; "
      "mkdir /home/made; ls /home | wc -l",
      {"--readonly"});
  EXPECT_THAT(result, ExitsWith(0)) << result.err;
  // The kernel mounts the root that holds the shares, or that of the share it has already: the container's own. As many
  // files are there afterwards as before.
  const std::string count = result.out.substr(0, result.out.find('\n'));
  EXPECT_THAT(result.out, testing::EndsWith(absl::StrCat(" ", count, "\n")));
  EXPECT_THAT(result.err, HasSubstr("Read-only file system"));
}

TEST_F(SharesTest, OwnersAreThoseOfTheDisk) {
  MakeText(directory() + "/mine", "x");
  MakeText(directory() + "/hers", "x");
  ASSERT_EQ(::chown((directory() + "/hers").c_str(), 1000, 50), 0);
  const ProgramResult result = RunScript(
      "stat -c %u:%g /mine /hers; touch /made; chmod 4755 /made; touch /tmp/given && busybox chown 1000:50 /tmp/given");
  EXPECT_THAT(result, ExitsWith(0)) << result.err;
  EXPECT_EQ(result.out, "0:0\n1000:50\n");
  struct stat info {};
  ASSERT_EQ(::stat((directory() + "/made").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 0u);
  EXPECT_EQ(info.st_gid, 0u);
  EXPECT_EQ(info.st_mode & 07777, 04755u);
  ASSERT_EQ(::stat((directory() + "/tmp/given").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 1000u);
  EXPECT_EQ(info.st_gid, 50u);
}

}  // namespace
}  // namespace vcd

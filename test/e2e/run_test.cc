// SPDX-License-Identifier: Apache-2.0
// `vc run`: a process in a virtual machine of its own, from every kind of root file system.
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_replace.h"
#include "test/e2e/e2e_test.h"

namespace vcd {
namespace {

using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::Ne;
using ::testing::Not;

std::string HostKernel() {
  utsname name;
  ::uname(&name);
  return name.release;
}

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Prints the guest's kernel on standard output and a word on standard error, changes the root file system, exits
// with 7.
constexpr char kScript[] =
    "uname -r; echo err >&2; echo new > /etc/new && cat /etc/new; echo more >> /etc/group && tail -n 1 /etc/group; "
    "rm /bin/yes && test ! -e /bin/yes && echo removed; exit 7";
constexpr char kScriptOutput[] = "new\nmore\nremoved\n";

class RunTest : public E2eTest {
 protected:
  void ExpectScriptOutput(const ProgramResult& result) {
    EXPECT_THAT(result, ExitsWith(7));
    EXPECT_EQ(result.err, "err\n");
    const size_t newline = result.out.find('\n');
    ASSERT_NE(newline, std::string::npos);
    EXPECT_THAT(result.out.substr(0, newline), Ne(HostKernel()));
    EXPECT_THAT(result.out.substr(0, newline), Ne(""));
    EXPECT_EQ(result.out.substr(newline + 1), kScriptOutput);
  }
};

TEST_F(RunTest, DirectoryIsSharedWithTheGuestAndWritesReachTheHost) {
  VCD_SKIP_UNLESS_ROOT();
  ExpectScriptOutput(RunIn(directory(), {}, {"/bin/sh", "-c", kScript}));
  EXPECT_EQ(ReadText(directory() + "/etc/new"), "new\n");
  EXPECT_NE(::access((directory() + "/bin/yes").c_str(), F_OK), 0);
}

TEST_F(RunTest, ReadonlyDirectoryRefusesWrites) {
  VCD_SKIP_UNLESS_ROOT();
  const ProgramResult result =
      RunIn(directory(), {"--readonly"}, {"/bin/sh", "-c", "touch /etc/new || echo refused; touch /root/x; exit 0"});
  EXPECT_THAT(result, ExitsWith(0));
  EXPECT_EQ(result.out, "refused\n");
  EXPECT_THAT(result.err, HasSubstr("Read-only file system"));
  EXPECT_NE(::access((directory() + "/etc/new").c_str(), F_OK), 0);
}

class RunImageTest : public RunTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(RunImageTest, ImageIsOverlaidAndStaysAsItWas) {
  const std::string before = ReadText(image(GetParam()));
  ExpectScriptOutput(RunIn(image(GetParam()), {}, {"/bin/sh", "-c", kScript}));
  EXPECT_TRUE(ReadText(image(GetParam())) == before) << "the guest has written to the image";
}

INSTANTIATE_TEST_SUITE_P(, RunImageTest, ::testing::Values("erofs", "squashfs", "ext4"),
                         [](const auto& info) { return std::string(info.param); });

TEST_F(RunTest, TwoContainersOfAPodShareAnImageAndNotTheirWrites) {
  constexpr char kPod[] = R"({
    "id": "pair",
    "containers": [
      {"id": "a", "rootfs": {"image": {"path": "IMAGE"}},
       "cmd": {"args": ["sh", "-c", "echo a > /tmp/me; cat /tmp/me; sleep 1000"]}},
      {"id": "b", "rootfs": {"image": {"path": "IMAGE"}, "readonly": true},
       "cmd": {"args": ["sh", "-c", "cat /tmp/me; touch /etc/new; echo $?; ls /tmp"]}}
    ]})";
  EXPECT_EQ(Must({"run", "-d", "-f", "-", "--container-id", "a"}, absl::StrReplaceAll(kPod, {{"IMAGE", image()}})),
            "pair\n");
  EXPECT_EQ(Must({"wait", "-c", "b", "pair"}), "0\n");
  const ProgramResult logs = Vc({"logs", "-c", "b", "pair"});
  EXPECT_THAT(logs.out, Eq("1\n"));
  EXPECT_THAT(logs.err, HasSubstr("'/tmp/me': No such file"));
  EXPECT_THAT(logs.err, HasSubstr("Read-only file system"));
  EXPECT_THAT(Exec("pair", {"sh", "-c", "until grep . /tmp/me; do :; done"}, {"-c", "a"}).out, Eq("a\n"));
  // Each container has processes of its own.
  EXPECT_THAT(Exec("pair", {"ps"}, {"-c", "a"}).out, Not(HasSubstr("ls /tmp")));
  Must({"rm", "-f", "pair"});
}

}  // namespace
}  // namespace vcd

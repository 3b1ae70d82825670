// SPDX-License-Identifier: Apache-2.0
// `vc cp` into and out of a virtual machine, and logs of real output.
#include <stdlib.h>
#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "test/e2e/e2e_test.h"
#include "test/files/file_tree.h"

namespace vcd {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class CopyTest : public E2eTest {
 protected:
  CopyTest() {
    char pattern[] = "/tmp/vcd-copy-XXXXXX";
    root_ = ::mkdtemp(pattern);
  }
  ~CopyTest() override { fs::remove_all(root_); }

  std::string root_;
};

TEST_F(CopyTest, TreesAndStreamsGoBothWays) {
  RunDetached("box", {"sleep", "1000"});
  const std::string tree = root_ + "/tree";
  fs::create_directories(tree + "/sub/empty");
  PutFile(tree + "/plain", "hello\n");
  std::string large(20 << 20, '\0');
  uint32_t state = 12345;
  for (char& c : large) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  PutFile(tree + "/large", large);
  PutFile(tree + "/" + std::string(180, 'n'), "long name");
  fs::create_hard_link(tree + "/plain", tree + "/sub/same");
  fs::create_symlink("/etc/passwd", tree + "/absolute");
  ::chmod((tree + "/plain").c_str(), 0751);
  ::chmod((tree + "/sub").c_str(), 0500);

  Must({"cp", tree, "box:/tmp"});
  EXPECT_EQ(
      Exec("box", {"sh", "-c", "cat /tmp/tree/sub/same; readlink /tmp/tree/absolute; stat -c %a.%u /tmp/tree/plain"})
          .out,
      "hello\n/etc/passwd\n751.0\n");
  Must({"cp", "box:main:/tmp/tree", root_ + "/back"});
  EXPECT_EQ(TreeListing(root_ + "/back"), TreeListing(tree));
  EXPECT_TRUE(FileText(root_ + "/back/large") == large) << "what came back is not what was sent";

  // The rules of cp.
  Must({"cp", tree + "/plain", "box:/tmp/renamed"});
  EXPECT_EQ(Exec("box", {"cat", "/tmp/renamed"}).out, "hello\n");
  Must({"cp", tree + "/.", "box:/tmp/contents"});
  EXPECT_EQ(Exec("box", {"cat", "/tmp/contents/plain"}).out, "hello\n");
  Must({"cp", "box:/etc/passwd", root_});
  EXPECT_THAT(FileText(root_ + "/passwd"), HasSubstr("alice"));

  // Tar streams.
  const std::string tar = Must({"cp", "box:/tmp/tree/sub", "-"});
  Exec("box", {"mkdir", "/tmp/stream"});
  EXPECT_THAT(Vc({"cp", "-", "box:/tmp/stream"}, tar), ExitsWith(0));
  EXPECT_EQ(Exec("box", {"cat", "/tmp/stream/sub/same"}).out, "hello\n") << "the first of its links in the archive";
  EXPECT_THAT(Vc({"cp", "-", "box:/tmp/stream"}, "no archive" + std::string(1024, 'x')), ExitsWith(1));
  EXPECT_THAT(Vc({"cp", "-", "box:/tmp/stream"}, tar.substr(0, 600)).err, HasSubstr("cut"));

  ProgramResult result = Vc({"cp", "box:/no/such", root_});
  EXPECT_THAT(result, ExitsWith(1));
  EXPECT_THAT(result.err, HasSubstr("no such file"));
  result = Vc({"cp", tree, "box:/no/such/place"});
  EXPECT_THAT(result, ExitsWith(1));
  EXPECT_THAT(result.err, HasSubstr("No such file or directory"));
  EXPECT_THAT(Vc({"cp", tree, "box:/etc/passwd"}).err, HasSubstr("is a file"));
  EXPECT_THAT(Vc({"cp", "box:/proc/self", "-"}), ExitsWith(0)) << "a link";
  // A link that leads out of the destination is not gone through.
  Exec("box", {"sh", "-c", "mkdir /tmp/trap && ln -s /etc /tmp/trap/tree"});
  EXPECT_THAT(Vc({"cp", tree, "box:/tmp/trap"}), ExitsWith(1));
  EXPECT_THAT(Exec("box", {"ls", "/etc/plain.d", "/etc/large"}).exit_code, testing::Ne(0));
  RemoveAllPods();
}

TEST_F(CopyTest, LogsKeepTheOutputOfEarlierRuns) {
  RunDetached("box", {"sh", "-c", "echo run; echo oops >&2"});
  Must({"wait", "box"});
  Must({"stop", "box"});
  Must({"start", "box"});
  Must({"wait", "box"});
  const ProgramResult logs = Vc({"logs", "box"});
  EXPECT_EQ(logs.out, "run\nrun\n");
  EXPECT_EQ(logs.err, "oops\noops\n");
  EXPECT_EQ(Must({"logs", "--since", "1h", "-f", "box"}), "run\nrun\n") << "follow ends with the process";
  EXPECT_EQ(Must({"logs", "--since", "2100-01-01T00:00:00Z", "box"}), "");
  RemoveAllPods();
}

}  // namespace
}  // namespace vcd

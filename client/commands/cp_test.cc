// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>

#include <filesystem>
#include <string>

#include "client/testing/run_vc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/files/file_tree.h"

namespace vcd::client {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class CpCommandTest : public testing::Test {
 protected:
  CpCommandTest() {
    char pattern[] = "/tmp/vcd-test-XXXXXX";
    root_ = ::mkdtemp(pattern);
    v1::Pod pod;
    pod.set_id("web");
    pod.set_state(v1::POD_STATE_RUNNING);
    pod.add_containers()->set_id("app");
    server_.AddPod(pod);
    fs::create_directories(root_ + "/site/sub");
    PutFile(root_ + "/site/index", "hello");
    PutFile(root_ + "/site/sub/page", "page");
    server_.SetArchive("/srv", Tar("-C " + root_ + "/site sub"));
    server_.SetArchive("/index", Tar("-C " + root_ + "/site index"));
  }
  ~CpCommandTest() override { fs::remove_all(root_); }

  std::string Tar(const std::string& arguments) {
    ShellOutput("tar -cf " + root_ + "/made.tar " + arguments);
    return FileText(root_ + "/made.tar");
  }
  std::string Written() {
    PutFile(root_ + "/written.tar", server_.written_archive());
    return ShellOutput("tar -tf " + root_ + "/written.tar | sort");
  }

  FakeServer server_;
  std::string root_;
};

TEST_F(CpCommandTest, CopiesADirectoryIntoOneThatIsThere) {
  const RunResult result = RunVc(server_, {"cp", root_ + "/site", "web:/srv"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(Written(), "site/\nsite/index\nsite/sub/\nsite/sub/page\n");
  EXPECT_THAT(server_.calls(),
              ElementsAre("GetPod pod_id: \"web\"",
                          "ReadArchive pod_id: \"web\" container_id: \"app\" path: \"/srv\" follow_symlink: true "
                          "stat_only: true",
                          "WriteArchive pod_id: \"web\" container_id: \"app\" path: \"/srv\""));
}

TEST_F(CpCommandTest, CopiesContentOrUnderANewName) {
  EXPECT_EQ(RunVc(server_, {"cp", root_ + "/site/.", "web:app:/srv"}).exit_status, 0);
  EXPECT_EQ(Written(), "index\nsub/\nsub/page\n");
  EXPECT_EQ(RunVc(server_, {"cp", "-a", root_ + "/site", "web:/new"}).exit_status, 0);
  EXPECT_EQ(Written(), "new/\nnew/index\nnew/sub/\nnew/sub/page\n");
  EXPECT_THAT(server_.calls().back(), HasSubstr("path: \"/\" keep_owner: true"));
  EXPECT_EQ(RunVc(server_, {"cp", root_ + "/site/index", "web:/index"}).exit_status, 0);
  EXPECT_EQ(Written(), "index\n");
}

TEST_F(CpCommandTest, CopiesOut) {
  EXPECT_EQ(RunVc(server_, {"cp", "web:/srv", root_ + "/got"}).exit_status, 0);
  EXPECT_EQ(FileText(root_ + "/got/page"), "page");
  fs::create_directory(root_ + "/into");
  EXPECT_EQ(RunVc(server_, {"cp", "web:/index", root_ + "/into/"}).exit_status, 0);
  EXPECT_EQ(FileText(root_ + "/into/index"), "hello");
  EXPECT_EQ(RunVc(server_, {"cp", "web:/srv/", root_ + "/into"}).exit_status, 1) << "no such path in this fake";
}

TEST_F(CpCommandTest, TarStreamsGoThroughStandardInputAndOutput) {
  RunOptions options;
  options.stdin_text = Tar("-C " + root_ + "/site .");
  EXPECT_EQ(RunVc(server_, {"cp", "-", "web:/srv"}, options).exit_status, 0);
  EXPECT_EQ(server_.written_archive(), options.stdin_text);
  EXPECT_EQ(RunVc(server_, {"cp", "web:/index", "-"}).out, Tar("-C " + root_ + "/site index"));
}

TEST_F(CpCommandTest, SaysWhatIsWrong) {
  const auto problem = [this](const std::vector<std::string>& words, int exit_status) {
    const RunResult result = RunVc(server_, words);
    EXPECT_EQ(result.exit_status, exit_status);
    return result.err;
  };
  EXPECT_THAT(problem({"cp", "a", "b"}, 2), HasSubstr("one of the two, and one only"));
  EXPECT_THAT(problem({"cp", "web:/a", "web:/b"}, 2), HasSubstr("one of the two, and one only"));
  EXPECT_THAT(problem({"cp", "web:", "b"}, 2), HasSubstr("not POD:PATH"));
  EXPECT_THAT(problem({"cp", root_ + "/nothing", "web:/srv"}, 1), HasSubstr("/nothing: No such file or directory"));
  EXPECT_THAT(problem({"cp", "web:/nothing", root_}, 1), HasSubstr("the container has no such file or directory"));
  EXPECT_THAT(problem({"cp", root_ + "/site", "web:/index"}, 1), HasSubstr("is a file"));
  EXPECT_THAT(problem({"cp", root_ + "/site/index", "web:/new/"}, 1), HasSubstr("no such directory"));
  EXPECT_THAT(problem({"cp", "web:/srv", root_ + "/no/such/place"}, 1), HasSubstr("no such directory"));
  server_.Fail("WriteArchive", DaemonError(grpc::StatusCode::FAILED_PRECONDITION, "WRONG_STATE", "it is full"));
  EXPECT_THAT(problem({"cp", root_ + "/site", "web:/srv"}, 1), HasSubstr("it is full"));
}

}  // namespace
}  // namespace vcd::client

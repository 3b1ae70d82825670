// SPDX-License-Identifier: Apache-2.0
#include "core/confinement/host_cgroup.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/os/process.h"
#include "core/os/supervised_process.h"
#include "core/os/testing/temporary_directory.h"

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A tree of files where the kernel's would be: what is made in it gets no files by itself.
class MadeTreeTest : public testing::Test {
 protected:
  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = Path(path);
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  std::string Read(const std::string& path) const {
    std::ostringstream text;
    text << std::ifstream(Path(path)).rdbuf();
    return text.str();
  }
  std::string Path(const std::string& path) const { return directory_.path() + "/" + path; }

  // What /proc/self/mounts would say: `NAME cgroup OPTIONS` or `NAME cgroup2 OPTIONS`.
  HostCgroups Found(const std::vector<std::array<std::string, 3>>& mounts) {
    std::string text = "proc /proc proc rw 0 0\n";
    for (const auto& [name, type, options] : mounts) {
      absl::StrAppend(&text, type, " ", Path(name), " ", type, " rw,relatime", options, " 0 0\n");
    }
    Write("mounts", text);
    return HostCgroups("/vcd", Path("mounts"));
  }

  void MakeUnified(const std::string& name, const std::string& controllers) {
    Write(name + "/cgroup.controllers", controllers + "\n");
    for (const std::string directory : {"", "/vcd"}) Write(name + directory + "/cgroup.subtree_control", "");
    for (const std::string file : {"memory.max", "pids.max", "cgroup.procs"}) Write(name + "/vcd/pod-web/" + file, "");
    Write(name + "/vcd/pod-web/memory.events", "low 0\noom 2\noom_kill 1\noom_group_kill 0\n");
  }

  TemporaryDirectory directory_;
};

TEST_F(MadeTreeTest, VersionTwoIsLimitedAndJoinedOnce) {
  MakeUnified("all", "cpuset cpu io memory pids");
  HostCgroups groups = Found({{"all", "cgroup2", ""}});
  EXPECT_THAT(groups.missing(), IsEmpty());
  EXPECT_EQ(groups.PathOf("web"), "/vcd/pod-web");
  auto joins = groups.Make("web", {640 << 20, 512});
  ASSERT_TRUE(joins.ok()) << joins.status();
  EXPECT_EQ(joins->size(), 1u);
  EXPECT_EQ(Read("all/vcd/pod-web/memory.max"), "671088640");
  EXPECT_EQ(Read("all/vcd/pod-web/pids.max"), "512");
  // One write each, which in a file overwrite each other.
  EXPECT_EQ(Read("all/cgroup.subtree_control"), "+pidsry");
  EXPECT_EQ(Read("all/vcd/cgroup.subtree_control"), "+pidsry");
  EXPECT_EQ(groups.OutOfMemoryKills("web"), 1u);
  EXPECT_TRUE(groups.LimitMemory("web", 1 << 30).ok());
  EXPECT_EQ(Read("all/vcd/pod-web/memory.max"), "1073741824");
}

TEST_F(MadeTreeTest, VersionOneIsTakenForWhatVersionTwoHasNot) {
  MakeUnified("unified", "hugetlb");
  for (const std::string file : {"memory.limit_in_bytes", "cgroup.procs"}) Write("memory/vcd/pod-web/" + file, "");
  for (const std::string file : {"pids.max", "cgroup.procs"}) Write("pids/vcd/pod-web/" + file, "");
  Write("memory/vcd/pod-web/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
  HostCgroups groups =
      Found({{"memory", "cgroup", ",memory"}, {"pids", "cgroup", ",pids"}, {"unified", "cgroup2", ""}});
  auto joins = groups.Make("web", {1 << 20, 7});
  ASSERT_TRUE(joins.ok()) << joins.status();
  EXPECT_EQ(joins->size(), 2u);
  EXPECT_EQ(Read("memory/vcd/pod-web/memory.limit_in_bytes"), "1048576");
  EXPECT_EQ(Read("pids/vcd/pod-web/pids.max"), "7");
  EXPECT_EQ(groups.OutOfMemoryKills("web"), 3u);
}

TEST_F(MadeTreeTest, WhatIsMissingIsNoError) {
  HostCgroups groups = Found({});
  EXPECT_THAT(groups.missing(), ElementsAre("memory", "pids"));
  auto joins = groups.Make("web", {1, 1});
  ASSERT_TRUE(joins.ok()) << joins.status();
  EXPECT_THAT(*joins, IsEmpty());
  EXPECT_TRUE(groups.LimitMemory("web", 1).ok());
  EXPECT_EQ(groups.OutOfMemoryKills("web"), 0u);
  EXPECT_TRUE(groups.Remove("web").ok());
}

TEST_F(MadeTreeTest, HierarchyThatCannotBeWrittenIsNoError) {
  HostCgroups groups = Found({{"nowhere", "cgroup", ",memory"}});
  auto joins = groups.Make("web", {1, 1});
  ASSERT_TRUE(joins.ok()) << joins.status();
}

TEST_F(MadeTreeTest, GroupOfOthersIsRefused) {
  MakeUnified("all", "memory pids");
  Write("all/vcd/pod-web/cgroup.procs", "4711\n4712\n");
  const absl::Status status = Found({{"all", "cgroup2", ""}}).Make("web", {1, 1}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("4711"), HasSubstr("[confinement] cgroup")));
}

// The kernel's own.
class RealCgroupTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    if (!groups_.missing().empty()) GTEST_SKIP() << "the host has no control groups for memory and pids";
    if (groups_.Make("probe", {1 << 20, 10})->empty()) GTEST_SKIP() << "control groups cannot be written";
    ASSERT_TRUE(groups_.Remove("probe").ok());
  }
  void TearDown() override {
    for (const char* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids"}) {
      (void)rmdir((root + parent_).c_str());
    }
  }

  const std::string parent_ = absl::StrCat("/vcd-test-", getpid());
  HostCgroups groups_{parent_};
  IoThread io_;
};

TEST_F(RealCgroupTest, AProcessJoinsBeforeItRuns) {
  auto joins = groups_.Make("a", {64 << 20, 10});
  ASSERT_TRUE(joins.ok()) << joins.status();
  LaunchSpec spec;
  spec.argv = {"/bin/sleep", "100"};
  for (const UniqueFd& join : *joins) spec.cgroup_fds.push_back(join.get());
  auto launched = LaunchProcess(spec);
  ASSERT_TRUE(launched.ok()) << launched.status();
  const pid_t pid = launched->identity.pid;
  auto process = SupervisedProcess::Watch(io_, *std::move(launched));
  std::ostringstream text;
  text << std::ifstream(absl::StrCat("/proc/", pid, "/cgroup")).rdbuf();
  EXPECT_THAT(text.str(), HasSubstr(parent_ + "/pod-a"));
  EXPECT_EQ(groups_.Make("a", {1 << 20, 10}).status().code(), absl::StatusCode::kFailedPrecondition);
  const absl::Status busy = groups_.Remove("a");
  EXPECT_THAT(std::string(busy.message()), HasSubstr(absl::StrCat(pid)));
  ASSERT_TRUE(process->Terminate(absl::ZeroDuration()).ok());
  EXPECT_TRUE(groups_.Remove("a").ok());
  EXPECT_TRUE(groups_.Remove("a").ok()) << "there is none";
}

TEST_F(RealCgroupTest, TheKernelsKillsAreCounted) {
  auto joins = groups_.Make("b", {16 << 20, 10});
  ASSERT_TRUE(joins.ok()) << joins.status();
  EXPECT_EQ(groups_.OutOfMemoryKills("b"), 0u);
  LaunchSpec spec;
  // tail keeps a line that never ends.
  spec.argv = {"/usr/bin/tail", "/dev/zero"};
  for (const UniqueFd& join : *joins) spec.cgroup_fds.push_back(join.get());
  auto process = SupervisedProcess::Watch(io_, *LaunchProcess(spec));
  EXPECT_TRUE(process->WaitExit({absl::Now() + absl::Seconds(60), nullptr}).ok());
  EXPECT_THAT(process->exit_description(), HasSubstr("killed by signal 9"));
  EXPECT_EQ(groups_.OutOfMemoryKills("b"), 1u);
  EXPECT_TRUE(groups_.Remove("b").ok());
}

}  // namespace
}  // namespace vcd

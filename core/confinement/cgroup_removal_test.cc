// SPDX-License-Identifier: Apache-2.0
#include "core/confinement/cgroup_removal.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "core/os/io_thread.h"
#include "core/os/proc_file.h"
#include "core/os/process.h"
#include "core/os/supervised_process.h"
#include "core/os/unique_fd.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A group of the kernel's, of version 2 or 1.
class CgroupRemovalTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    const std::string mount_point = MountPoint();
    if (mount_point.empty()) GTEST_SKIP() << "the host has none of that version";
    group_ = absl::StrCat(mount_point, "/vcd-test-", getpid());
    if (mkdir(group_.c_str(), 0755) != 0) GTEST_SKIP() << "control groups cannot be written";
  }
  void TearDown() override {
    if (process_ != nullptr) {
      EXPECT_TRUE(process_->Terminate(absl::ZeroDuration()).ok());
    }
    EXPECT_EQ(RemoveCgroup(group_, GetParam(), Soon()), absl::OkStatus());
  }

  static std::string MountPoint() {
    std::string mounts;
    (void)ReadProcFile("/proc/self/mounts", &mounts);
    for (const absl::string_view line : absl::StrSplit(mounts, '\n')) {
      const std::vector<std::string> fields = absl::StrSplit(line, ' ');
      // In one with `cpuset` a new group takes no process before it has CPUs.
      if (fields.size() < 4 || fields[3].find("cpuset") != std::string::npos) continue;
      if (fields[2] == (GetParam() ? "cgroup2" : "cgroup")) return fields[1];
    }
    return "";
  }
  static absl::Time Soon() { return absl::Now() + absl::Minutes(1); }

  // Starts a process in the group.
  std::string Launch() {
    const UniqueFd join(open((group_ + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
    EXPECT_TRUE(join.valid());
    LaunchSpec spec;
    spec.argv = {"/bin/sleep", "1000"};
    spec.cgroup_fds.push_back(join.get());
    auto launched = LaunchProcess(spec);
    EXPECT_TRUE(launched.ok()) << launched.status();
    const std::string pid = absl::StrCat(launched->identity.pid);
    process_ = SupervisedProcess::Watch(io_, *std::move(launched));
    return pid;
  }

  std::string group_;
  IoThread io_;
  std::unique_ptr<SupervisedProcess> process_;
};

TEST_P(CgroupRemovalTest, AnEmptyOneGoesAndNoneIsNoError) {
  EXPECT_THAT(CgroupProcesses(group_), IsEmpty());
  EXPECT_EQ(RemoveCgroup(group_, GetParam(), absl::InfinitePast()), absl::OkStatus());
  EXPECT_NE(access(group_.c_str(), F_OK), 0);
  EXPECT_EQ(RemoveCgroup(group_, GetParam(), absl::InfinitePast()), absl::OkStatus());
}

TEST_P(CgroupRemovalTest, WhatRunsInItIsNamedWhenPatienceEnds) {
  const std::string pid = Launch();
  EXPECT_THAT(CgroupProcesses(group_), ElementsAre(pid));
  for (const absl::Duration patience : {-absl::Seconds(1), absl::Milliseconds(30)}) {
    const absl::Time until = absl::Now() + patience;
    const absl::Status busy = RemoveCgroup(group_, GetParam(), until);
    EXPECT_GE(absl::Now(), until);
    EXPECT_THAT(std::string(busy.message()), HasSubstr(absl::StrCat(group_, ", which holds processes ", pid)));
  }
}

TEST_P(CgroupRemovalTest, WaitsUntilItsProcessesAreGone) {
  Launch();
  absl::Status removed = absl::UnknownError("it waits");
  std::thread remover([&] { removed = RemoveCgroup(group_, GetParam(), Soon()); });
  EXPECT_TRUE(process_->Terminate(absl::ZeroDuration()).ok());
  remover.join();
  EXPECT_EQ(removed, absl::OkStatus());
  EXPECT_NE(access(group_.c_str(), F_OK), 0);
}

TEST_P(CgroupRemovalTest, GroupsBelowItAreNotWaitedFor) {
  if (!GetParam()) GTEST_SKIP() << "version 1 tells nothing of them";
  const std::string below = group_ + "/below";
  ASSERT_EQ(mkdir(below.c_str(), 0755), 0);
  const absl::Time patience = Soon();
  EXPECT_FALSE(RemoveCgroup(group_, GetParam(), patience).ok());
  EXPECT_LT(absl::Now(), patience);
  EXPECT_EQ(RemoveCgroup(below, GetParam(), Soon()), absl::OkStatus());
}

INSTANTIATE_TEST_SUITE_P(Versions, CgroupRemovalTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Two" : "One"; });

}  // namespace
}  // namespace vcd

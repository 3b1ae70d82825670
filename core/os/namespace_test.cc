// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "core/os/mount_namespace.h"
#include "core/os/proc_file.h"
#include "core/os/process.h"
#include "core/os/testing/sanitized.h"
#include "core/os/user_namespace.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;

constexpr uid_t kFirstId = 1879048192;

class NamespaceTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
  }
  // An empty file system in memory, mounted nowhere.
  static UniqueFd Memory() {
    const UniqueFd context(fsopen("tmpfs", FSOPEN_CLOEXEC));
    EXPECT_EQ(fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0), 0);
    return UniqueFd(fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
  }
  // A program with that in place of /run, as user 0 of the namespace if there is one.
  static LaunchedProcess Launch(const UniqueFd& memory, int user_namespace) {
    LaunchSpec spec;
    spec.argv = {"/bin/sleep", "1000"};
    if (user_namespace >= 0) {
      spec.namespace_fds = {user_namespace};
      spec.user_id = 0;
    }
    spec.unshare_flags = CLONE_NEWNS;
    spec.mounts = {{memory.get(), "/run"}};
    return *LaunchProcess(spec);
  }
  static void End(const LaunchedProcess& process) {
    EXPECT_TRUE(SignalPidfd(process.pidfd.get(), SIGKILL).ok());
    EXPECT_EQ(waitpid(process.identity.pid, nullptr, 0), process.identity.pid);
  }
  static std::string OwnMounts() {
    std::string mounts;
    EXPECT_TRUE(ReadProcFile("/proc/thread-self/mountinfo", &mounts));
    return mounts;
  }
};

TEST_F(NamespaceTest, WorksWhereTheProcessIsAndNowhereElse) {
  const std::string before = OwnMounts();
  const LaunchedProcess process = Launch(Memory(), -1);
  std::string mounts;
  ASSERT_TRUE(ReadProcFile(absl::StrCat("/proc/", process.identity.pid, "/mountinfo"), &mounts));
  EXPECT_THAT(mounts, HasSubstr("/ /run rw"));
  EXPECT_EQ(OwnMounts(), before);
  struct stat own {};
  ASSERT_EQ(stat("/run", &own), 0);
  const absl::Status worked = InMountNamespaceOf(process.pidfd.get(), [&own] {
    struct stat its {};
    EXPECT_EQ(stat("/run", &its), 0);
    EXPECT_NE(its.st_dev, own.st_dev);
    return absl::OkStatus();
  });
  EXPECT_EQ(worked, absl::OkStatus());
  struct stat after {};
  ASSERT_EQ(stat("/run", &after), 0);
  EXPECT_EQ(after.st_dev, own.st_dev);
  EXPECT_EQ(InMountNamespaceOf(process.pidfd.get(), [] { return absl::DataLossError("as it says"); }).code(),
            absl::StatusCode::kDataLoss);
  End(process);
  EXPECT_EQ(InMountNamespaceOf(process.pidfd.get(), [] { return absl::OkStatus(); }).code(),
            absl::StatusCode::kNotFound);
}

TEST_F(NamespaceTest, RootOfAUserNamespaceIsNobodyOutside) {
  if (kThreadSanitized) GTEST_SKIP() << "a child with ThreadSanitizer's thread cannot enter a user namespace";
  auto made = MakeUserNamespace(kFirstId, 65534);
  ASSERT_TRUE(made.ok()) << made.status();
  const LaunchedProcess process = Launch(Memory(), made->get());
  std::string status, map, groups;
  const std::string proc = absl::StrCat("/proc/", process.identity.pid);
  ASSERT_TRUE(ReadProcFile(proc + "/status", &status));
  ASSERT_TRUE(ReadProcFile(proc + "/uid_map", &map));
  ASSERT_TRUE(ReadProcFile(proc + "/gid_map", &groups));
  EXPECT_THAT(status, HasSubstr("Uid:\t1879048192\t1879048192\t1879048192\t1879048192\n"));
  EXPECT_THAT(status, HasSubstr("Gid:\t1879048192\t1879048192\t1879048192\t1879048192\n"));
  EXPECT_THAT(map, testing::MatchesRegex(" +0 +1879048192 +65534\n"));
  EXPECT_EQ(map, groups);
  const absl::Status worked = InMountNamespaceOf(process.pidfd.get(), [] {
    EXPECT_EQ(mkdir("/run/made-from-outside", 0755), 0);
    return absl::OkStatus();
  });
  EXPECT_EQ(worked, absl::OkStatus());
  End(process);
}

TEST_F(NamespaceTest, IdsThatTheHostHasNotAreRefused) {
  const absl::Status status = MakeUserNamespace(4294967295u, 65534).status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("uid_map \"0 4294967295 65534\""));
}

}  // namespace
}  // namespace vcd

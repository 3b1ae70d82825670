// SPDX-License-Identifier: Apache-2.0
#include "core/netns/network_namespace.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "core/os/process.h"
#include "core/os/testing/temporary_directory.h"
#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;

class NetworkNamespaceTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
  }
  void TearDown() override { EXPECT_EQ(RemoveNetworkNamespace(path_), absl::OkStatus()); }

  static ino_t OwnInode() {
    struct stat status {};
    EXPECT_EQ(stat("/proc/thread-self/ns/net", &status), 0);
    return status.st_ino;
  }
  static void ExpectRefused(const absl::Status& status, const std::string& words) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
    ASSERT_TRUE(DetailOf(status).has_value());
    EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_NETWORK);
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.path() + "/netns";
};

TEST_F(NetworkNamespaceTest, LivesOnUnderItsNameAndEndsWithIt) {
  NetworkNamespace::Identity identity;
  {
    const auto made = NetworkNamespace::Make();
    ASSERT_TRUE(made.ok()) << made.status();
    ASSERT_EQ(made->MountAt(path_), absl::OkStatus());
    identity = made->identity();
  }
  const auto opened = NetworkNamespace::Open(path_);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_TRUE(opened->identity() == identity);
  EXPECT_EQ(RemoveNetworkNamespace(path_), absl::OkStatus());
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_EQ(NetworkNamespace::Open(path_).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(RemoveNetworkNamespace(path_), absl::OkStatus());
}

TEST_F(NetworkNamespaceTest, WorkRunsInsideAndNobodyElseDoes) {
  const auto made = NetworkNamespace::Make();
  ASSERT_TRUE(made.ok());
  const ino_t before = OwnInode();
  ASSERT_NE(made->identity().inode, before);
  EXPECT_EQ(made->Run([&] {
                  EXPECT_EQ(OwnInode(), made->identity().inode);
                  return absl::DataLossError("as it says");
                })
                .code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(OwnInode(), before);
}

TEST_F(NetworkNamespaceTest, WhatIsOpenedInsideBelongsThere) {
  const auto made = NetworkNamespace::Make();
  ASSERT_TRUE(made.ok());
  UniqueFd socket;
  ASSERT_EQ(made->Run([&] {
    socket.Reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    return absl::OkStatus();
  }),
            absl::OkStatus());
  ifreq request{};
  std::snprintf(request.ifr_name, sizeof request.ifr_name, "lo");
  ASSERT_EQ(ioctl(socket.get(), SIOCGIFFLAGS, &request), 0);
  EXPECT_EQ(request.ifr_flags & IFF_UP, 0) << "the loopback interface of a new namespace is down, the host's is up";
}

TEST_F(NetworkNamespaceTest, TheDaemonsOwnIsRefused) {
  ExpectRefused(NetworkNamespace::Open("/proc/self/ns/net").status(), "host's own");
  ExpectRefused(NetworkNamespace::OfProcess(getpid()).status(), "host's own");
}

TEST_F(NetworkNamespaceTest, WhatIsNoNetworkNamespaceIsRefused) {
  const std::string file = directory_.path() + "/file";
  std::ofstream(file) << "x";
  ExpectRefused(NetworkNamespace::Open(file).status(), "is no network namespace");
  ExpectRefused(NetworkNamespace::Open("/proc/self/ns/mnt").status(), "is no network namespace");
  ExpectRefused(NetworkNamespace::Open(directory_.path()).status(), "is no network namespace");
  const std::string pipe = directory_.path() + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  ExpectRefused(NetworkNamespace::Open(pipe).status(), "is no network namespace");
}

TEST_F(NetworkNamespaceTest, AProcessesOneOutlivesTheProcess) {
  LaunchSpec spec;
  spec.argv = {"/bin/sleep", "1000"};
  spec.unshare_flags = CLONE_NEWNET;
  const auto process = LaunchProcess(spec);
  ASSERT_TRUE(process.ok()) << process.status();
  const pid_t pid = process->identity.pid;
  struct stat its {};
  EXPECT_EQ(stat(absl::StrCat("/proc/", pid, "/ns/net").c_str(), &its), 0);
  {
    const auto found = NetworkNamespace::OfProcess(pid);
    EXPECT_EQ(found.ok() ? found->MountAt(path_) : found.status(), absl::OkStatus());
  }
  EXPECT_TRUE(SignalPidfd(process->pidfd.get(), SIGKILL).ok());
  EXPECT_EQ(waitpid(pid, nullptr, 0), pid);
  const auto opened = NetworkNamespace::Open(path_);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->identity().inode, its.st_ino);
  EXPECT_EQ(NetworkNamespace::OfProcess(pid).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(NetworkNamespaceTest, ANameThatIsTakenIsLeftAlone) {
  const auto made = NetworkNamespace::Make();
  ASSERT_TRUE(made.ok());
  std::ofstream(path_) << "somebody's";
  EXPECT_EQ(made->MountAt(path_).code(), absl::StatusCode::kAlreadyExists);
  ExpectRefused(RemoveNetworkNamespace(path_), "is left alone");
  EXPECT_EQ(std::filesystem::file_size(path_), 10u);
  std::filesystem::remove(path_);
  // A directory is nothing to unmount either.
  std::filesystem::create_directory(path_);
  ExpectRefused(RemoveNetworkNamespace(path_), "is left alone");
  std::filesystem::remove(path_);
}

TEST_F(NetworkNamespaceTest, AMountOfSomethingElseIsLeftAlone) {
  std::ofstream(path_).flush();
  const std::string other = directory_.path() + "/other";
  std::ofstream(other) << "x";
  ASSERT_EQ(mount(other.c_str(), path_.c_str(), nullptr, MS_BIND, nullptr), 0);
  ExpectRefused(RemoveNetworkNamespace(path_), "is left alone");
  ASSERT_EQ(umount(path_.c_str()), 0);
}

TEST_F(NetworkNamespaceTest, AFileThatACrashLeftUnmountedGoes) {
  std::ofstream(path_).flush();
  EXPECT_EQ(RemoveNetworkNamespace(path_), absl::OkStatus());
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(NetworkNamespaceTest, OneThatIsMountedTwiceGoesWhole) {
  const auto made = NetworkNamespace::Make();
  ASSERT_TRUE(made.ok());
  ASSERT_EQ(made->MountAt(path_), absl::OkStatus());
  ASSERT_EQ(mount(path_.c_str(), path_.c_str(), nullptr, MS_BIND, nullptr), 0);
  EXPECT_EQ(RemoveNetworkNamespace(path_), absl::OkStatus());
  EXPECT_FALSE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace vcd

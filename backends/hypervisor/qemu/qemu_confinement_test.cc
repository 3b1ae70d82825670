// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_confinement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/os/supervised_process.h"
#include "core/os/testing/temporary_directory.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class QemuConfinementTest : public testing::Test {
 protected:
  QemuConfinementTest() { std::filesystem::create_directory(run_dir_); }

  ConfinementOptions Options() const {
    ConfinementOptions options;
    options.private_users = true;
    options.uids_dir = directory_.path() + "/uids";
    options.first_uid = 1879048192;
    options.uid_count = 65536;
    return options;
  }
  std::string MakeFile(const std::string& name, const std::string& text, mode_t mode) {
    const std::string path = absl::StrCat(directory_.path(), "/", name);
    std::ofstream(path) << text;
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  }

  TemporaryDirectory directory_;
  const std::string run_dir_ = directory_.path() + "/pod-1";
};

TEST_F(QemuConfinementTest, ByDefaultNothingIsTaken) {
  QemuConfinement confinement({});
  const auto place = confinement.Take(run_dir_, 1 << 20);
  ASSERT_TRUE(place.ok()) << place.status();
  EXPECT_EQ(place->first_uid, 0u);
  EXPECT_EQ(place->cgroup, "");
  LaunchSpec launch;
  QemuConfinement::Join(*place, &launch);
  EXPECT_FALSE(launch.user_id.has_value());
  EXPECT_EQ(launch.unshare_flags, 0);
  EXPECT_TRUE(launch.no_new_privileges);
  EXPECT_TRUE(confinement.GiveBack(run_dir_).ok());
}

TEST_F(QemuConfinementTest, AMachineInNoControlGroupMayHaveAnyMemory) {
  ConfinementOptions options;
  // As where it could not be made, or vcd was told of none when the machine began.
  options.cgroup = "/vcd-test-not-there";
  const QemuConfinement confinement(options);
  EXPECT_EQ(confinement.SetGuestMemory(run_dir_, 1 << 30), absl::OkStatus());
}

TEST_F(QemuConfinementTest, APodIsAUserWithNamespacesOfItsOwn) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  QemuConfinement confinement(Options());
  const auto place = confinement.Take(run_dir_, 1 << 20);
  ASSERT_TRUE(place.ok()) << place.status();
  LaunchSpec launch;
  QemuConfinement::Join(*place, &launch);
  EXPECT_EQ(launch.user_id, 1879048192u + 65534u);
  EXPECT_EQ(launch.unshare_flags, CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS);
  EXPECT_THAT(launch.limits, testing::Contains(std::pair<int, rlim_t>(RLIMIT_CORE, 0)));
  EXPECT_THAT(launch.groups, IsEmpty());
  const std::string other = directory_.path() + "/pod-2";
  std::filesystem::create_directory(other);
  EXPECT_EQ(confinement.Take(other, 1).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(confinement.GiveBack(run_dir_).ok());
  EXPECT_TRUE(confinement.Take(other, 1).ok());
}

TEST_F(QemuConfinementTest, AFileThatNotAllMayReadIsReadAllTheSame) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  IoThread io;
  // The directory above is another obstacle: mode 0700.
  for (const mode_t mode : {0644, 0600}) {
    const std::string path = MakeFile("kernel", "what the kernel is", mode);
    const auto file = OpenForQemu(path, /*another_user=*/true);
    ASSERT_TRUE(file.ok()) << file.status();
    LaunchSpec spec;
    spec.argv = {"/bin/grep", "-q", "what the kernel is", "/proc/self/fd/3"};
    spec.descriptors = {{file->get(), 3}};
    spec.user_id = 1879048192;
    auto process = SupervisedProcess::Watch(io, *LaunchProcess(spec));
    ASSERT_TRUE(process->WaitExit({absl::Now() + absl::Seconds(30), nullptr}).ok());
    EXPECT_EQ(process->exit_description(), "exited with status 0") << mode;
  }
}

TEST_F(QemuConfinementTest, TheCopyOfAFileIsSealed) {
  const auto copy = OpenForQemu(MakeFile("initrd", std::string(1 << 20, 'x'), 0600), /*another_user=*/true);
  ASSERT_TRUE(copy.ok()) << copy.status();
  struct stat info;
  ASSERT_EQ(fstat(copy->get(), &info), 0);
  EXPECT_EQ(info.st_size, 1 << 20);
  EXPECT_LT(pwrite(copy->get(), "y", 1, 0), 0);
}

TEST_F(QemuConfinementTest, WhatIsNoFileIsNotOpened) {
  EXPECT_EQ(OpenForQemu(directory_.path(), true).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(OpenForQemu(directory_.path() + "/none", true).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(QemuConfinementTest, KvmIsReachedThroughItsGroup) {
  const std::string device = MakeFile("kvm", "", 0660);
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  ASSERT_EQ(chown(device.c_str(), 0, 108), 0);
  EXPECT_THAT(*GroupsForKvm(device), ElementsAre(108));
  ASSERT_EQ(chmod(device.c_str(), 0666), 0);
  EXPECT_THAT(*GroupsForKvm(device), IsEmpty());
  for (const mode_t mode : {0600, 0640}) {
    ASSERT_EQ(chmod(device.c_str(), mode), 0);
    EXPECT_THAT(std::string(GroupsForKvm(device).status().message()), HasSubstr("chgrp kvm")) << mode;
  }
  ASSERT_EQ(chmod(device.c_str(), 0660), 0);
  ASSERT_EQ(chown(device.c_str(), 0, 0), 0);
  EXPECT_FALSE(GroupsForKvm(device).ok()) << "root's group can do more than this";
}

// A node of a VFIO group is the pod's user's for as long as the pod has the group.
TEST_F(QemuConfinementTest, AVfioGroupIsLentAndComesBackAlsoWithoutBeingGivenBack) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  ConfinementOptions options = Options();
  options.vfio_dir = directory_.path();
  const std::string one = MakeFile("7", "", 0600);
  const std::string other = MakeFile("8", "", 0600);
  const auto owner = [](const std::string& path) {
    struct stat info {};
    EXPECT_EQ(stat(path.c_str(), &info), 0);
    return info.st_uid;
  };
  QemuConfinement confinement(options);
  EXPECT_EQ(confinement.LendVfioGroup(run_dir_, "7"), absl::OkStatus());
  EXPECT_EQ(owner(one), 0u) << "a pod without users of its own needs nothing";
  const auto place = confinement.Take(run_dir_, 1 << 20);
  ASSERT_TRUE(place.ok()) << place.status();
  const uid_t user = place->first_uid + 65534;
  for (const char* group : {"7", "8"}) EXPECT_EQ(confinement.LendVfioGroup(run_dir_, group), absl::OkStatus());
  EXPECT_EQ(owner(one), user);
  EXPECT_EQ(confinement.TakeVfioGroup(run_dir_, "7"), absl::OkStatus());
  EXPECT_EQ(owner(one), 0u);
  EXPECT_EQ(owner(other), user);
  EXPECT_EQ(confinement.GiveBack(run_dir_), absl::OkStatus());
  EXPECT_EQ(owner(other), 0u);
  EXPECT_EQ(confinement.LendVfioGroup(run_dir_, "9"), absl::OkStatus()) << "no place, nothing to do";
  ASSERT_TRUE(confinement.Take(run_dir_, 1 << 20).ok());
  const absl::Status missing = confinement.LendVfioGroup(run_dir_, "9");
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()), HasSubstr("/9"));

  // A pod whose directory went before its users were given back.
  ASSERT_EQ(confinement.LendVfioGroup(run_dir_, "7"), absl::OkStatus());
  std::filesystem::remove(run_dir_);
  const std::string next = directory_.path() + "/pod-2";
  std::filesystem::create_directory(next);
  ASSERT_TRUE(confinement.Take(next, 1 << 20).ok());
  EXPECT_EQ(owner(one), 0u);
}

}  // namespace
}  // namespace vcd

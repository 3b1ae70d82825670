// SPDX-License-Identifier: Apache-2.0
#include "core/model/mounts.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::AllOf;
using testing::HasSubstr;

v1::Mount Make(const std::string& type, const std::string& source, const std::vector<std::string>& options = {},
               const std::string& destination = "/data") {
  v1::Mount mount;
  mount.set_type(type);
  mount.set_source(source);
  mount.set_destination(destination);
  *mount.mutable_options() = {options.begin(), options.end()};
  return mount;
}

absl::Status Check(const v1::Mount& mount) {
  v1::ContainerConfig config;
  *config.add_mounts() = mount;
  return CheckMounts(config, "config.mounts");
}

TEST(MountsTest, KnowsWhatAMountNeeds) {
  EXPECT_EQ(KindOf(Make("tmpfs", "")), MountKind::kGuest);
  EXPECT_EQ(KindOf(Make("bind", "/srv")), MountKind::kBind);
  EXPECT_EQ(KindOf(Make("", "/srv", {"ro", "rbind"})), MountKind::kBind);
  EXPECT_EQ(KindOf(Make("none", "/srv", {"bind"})), MountKind::kBind);
  EXPECT_EQ(KindOf(Make("volume", "data")), MountKind::kVolume);
  for (const char* type : {"ext4", "xfs", "erofs", "squashfs"}) {
    EXPECT_EQ(KindOf(Make(type, "/image")), MountKind::kDisk) << type;
  }
  EXPECT_EQ(KindOf(Make("nfs", "server:/")), std::nullopt);
  EXPECT_EQ(KindOf(Make("", "/srv")), std::nullopt);
}

TEST(MountsTest, TheHostsKernelInItsOwnPlaceIsTheGuests) {
  for (const char* path : {"/proc", "/sys", "/dev", "/sys/fs/cgroup", "/dev/shm", "/dev/mqueue/"}) {
    const v1::Mount own = Make("bind", path, {"rbind"}, path);
    EXPECT_EQ(KindOf(own), MountKind::kGuestsOwn) << path;
    EXPECT_EQ(Check(own), absl::OkStatus()) << path;
    const v1::Mount elsewhere = Make("bind", path, {"rbind"}, "/host");
    EXPECT_EQ(KindOf(elsewhere), MountKind::kBind) << path;
    EXPECT_THAT(std::string(Check(elsewhere).message()), AllOf(HasSubstr("mounts[0].source"), HasSubstr("kernel")));
  }
  EXPECT_EQ(Check(Make("bind", "/proc/../srv")), absl::OkStatus());
  EXPECT_FALSE(Check(Make("bind", "/srv/../proc/1/root")).ok());
  EXPECT_EQ(Check(Make("bind", "/process")), absl::OkStatus());
  // What people put there is files like any, and so are those that go below the guest's /dev.
  EXPECT_EQ(Check(Make("bind", "/dev/shm/data")), absl::OkStatus());
  EXPECT_EQ(Check(Make("bind", "/srv/log", {}, "/dev/termination-log")), absl::OkStatus());
  EXPECT_THAT(std::string(Check(Make("bind", "/srv", {}, "/proc/sys")).message()), HasSubstr("cannot cover /proc"));
}

TEST(MountsTest, SourcesAreChecked) {
  struct {
    v1::Mount mount;
    const char* problem;
  } const cases[] = {
      {Make("bind", ""), "mounts[0].source`: is empty"},
      {Make("bind", "data"), "is not an absolute path"},
      {Make("ext4", "image"), "is not an absolute path"},
      {Make("volume", "/srv"), "is no tag"},
      {Make("volume", std::string(37, 'a')), "is no tag"},
      {Make("nfs", "x"), "known are bind, volume"},
      {Make("bind", "/srv", {"size=1m"}), "mounts[0].options[0]"},
      {Make("volume", "data", {"ro", "uid=1"}), "mounts[0].options[1]"},
  };
  for (const auto& c : cases) {
    const absl::Status status = Check(c.mount);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.problem;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.problem));
  }
  EXPECT_EQ(Check(Make("ext4", "/image", {"data=ordered", "noatime"})), absl::OkStatus());
}

TEST(MountsTest, TheLastOfRoAndRwCounts) {
  EXPECT_FALSE(IsReadOnly(Make("bind", "/srv")));
  EXPECT_TRUE(IsReadOnly(Make("bind", "/srv", {"ro"})));
  EXPECT_FALSE(IsReadOnly(Make("bind", "/srv", {"ro", "rw"})));
  EXPECT_TRUE(IsReadOnly(Make("erofs", "/image", {"rw"})));
}

TEST(MountsTest, AVolumeMustBeThePods) {
  v1::PodConfig pod;
  v1::ContainerConfig container;
  *container.add_mounts() = Make("tmpfs", "");
  *container.add_mounts() = Make("volume", "data");
  EXPECT_THAT(std::string(CheckVolumeTags(container, pod, "config").message()),
              AllOf(HasSubstr("config.mounts[1].source"), HasSubstr("has none")));
  pod.add_volumes()->set_mount_tag("other");
  EXPECT_THAT(std::string(CheckVolumeTags(container, pod, "config").message()), HasSubstr("it has other"));
  pod.add_volumes()->set_mount_tag("data");
  EXPECT_EQ(CheckVolumeTags(container, pod, "config"), absl::OkStatus());
}

TEST(MountsTest, DisksShareNoDirectories) {
  v1::ContainerConfig container;
  container.mutable_rootfs()->mutable_image()->set_path("/image");
  *container.add_mounts() = Make("ext4", "/image");
  *container.add_mounts() = Make("bind", "/sys", {}, "/sys");
  EXPECT_FALSE(SharesDirectories(container));
  *container.add_mounts() = Make("bind", "/srv");
  EXPECT_TRUE(SharesDirectories(container));
}

}  // namespace
}  // namespace vcd

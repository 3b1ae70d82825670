// SPDX-License-Identifier: Apache-2.0
#include "core/device/host_disk.h"

#include <sys/sysmacros.h>

#include <fstream>

#include "core/device/testing/made_host.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::AllOf;
using testing::HasSubstr;

HostDisk Device(unsigned major_number, unsigned minor_number) {
  return {"/dev/disk", true, makedev(major_number, minor_number), 0};
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

class HostDiskTest : public testing::Test {
 protected:
  MadeHost host_;
};

TEST_F(HostDiskTest, FilesAreToldApartByInode) {
  const std::string path = host_.root() + "/image";
  std::ofstream(path) << "x";
  std::filesystem::create_hard_link(path, path + "-again");
  std::ofstream(path + "-other") << "x";
  const auto disk = FindHostDisk(path);
  ASSERT_TRUE(disk.ok()) << disk.status();
  EXPECT_FALSE(disk->is_device);
  EXPECT_TRUE(disk->Is(*FindHostDisk(path + "-again")));
  EXPECT_FALSE(disk->Is(*FindHostDisk(path + "-other")));
}

TEST_F(HostDiskTest, WhatIsNoDiskIsSaid) {
  EXPECT_EQ(FindHostDisk(host_.root() + "/none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(FindHostDisk(host_.root()).status()), HasSubstr("is a directory"));
  EXPECT_EQ(FindHostDisk("/dev/null").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(HostDiskTest, AMountedDeviceIsNotWrittenByAGuest) {
  EXPECT_EQ(CheckDiskIsFree(host_.tree(), Device(8, 16), true), absl::OkStatus());
  host_.AddMount(R"(2 1 8:16 / /srv/my\040data rw - ext4 /dev/sdb rw)");
  const absl::Status status = CheckDiskIsFree(host_.tree(), Device(8, 16), true);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), AllOf(HasSubstr("/srv/my data"), HasSubstr("unmount")));
}

TEST_F(HostDiskTest, AGuestReadsOnlyWhatTheHostDoesNotWrite) {
  host_.AddMount("2 1 8:16 / /a ro - ext4 /dev/sdb rw");
  host_.AddMount("3 1 8:32 / /b ro - ext4 /dev/sdc ro");
  EXPECT_THAT(Message(CheckDiskIsFree(host_.tree(), Device(8, 16), false)), HasSubstr("remount it read-only"));
  EXPECT_EQ(CheckDiskIsFree(host_.tree(), Device(8, 32), false), absl::OkStatus());
  EXPECT_EQ(CheckDiskIsFree(host_.tree(), Device(8, 32), true).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(HostDiskTest, PartitionsCount) {
  host_.Write("dev/block/8:0/sda1/partition", "1");
  host_.Write("dev/block/8:0/sda1/dev", "8:1");
  host_.Write("dev/block/8:0/queue/dev", "8:1");  // No partition.
  EXPECT_THAT(Message(CheckDiskIsFree(host_.tree(), Device(8, 0), true)), HasSubstr("mounted on /;"));
}

TEST_F(HostDiskTest, WhatTheHostMadeOfTheDiskCounts) {
  host_.Write("dev/block/8:16/holders/dm-0/dev", "253:0");
  EXPECT_THAT(Message(CheckDiskIsFree(host_.tree(), Device(8, 16), true)), HasSubstr("dm-0 is made of it"));
  EXPECT_EQ(CheckDiskIsFree(host_.tree(), Device(8, 16), false), absl::OkStatus());
  host_.AddMount("2 1 253:0 / /lv rw - ext4 /dev/mapper/lv rw");
  EXPECT_THAT(Message(CheckDiskIsFree(host_.tree(), Device(8, 16), false)), HasSubstr("mounted on /lv"));
}

TEST_F(HostDiskTest, AFileUnderALoopDeviceCounts) {
  const std::string path = host_.root() + "/image";
  std::ofstream(path) << "x";
  const HostDisk disk = *FindHostDisk(path);
  host_.AddMount("2 1 7:3 / /loop rw - ext4 /dev/loop3 rw");
  host_.Write("block/loop3/dev", "7:3");
  EXPECT_EQ(CheckDiskIsFree(host_.tree(), disk, true), absl::OkStatus());
  host_.Write("block/loop3/loop/backing_file", path);
  EXPECT_THAT(Message(CheckDiskIsFree(host_.tree(), disk, true)), HasSubstr("mounted on /loop"));
}

TEST_F(HostDiskTest, ADirectoryThatIsTheRootOfAMappedDeviceIsKnown) {
  host_.AddMapped(2, "vg-rootfs");
  host_.AddMount(R"(2 1 253:2 / /srv/root\040fs ro - ext4 /dev/mapper/vg-rootfs ro)");
  const auto root = FindMappedRoot(host_.tree(), "/srv/root fs", makedev(253, 2));
  ASSERT_TRUE(root.ok()) << root.status();
  ASSERT_TRUE(root->has_value());
  EXPECT_EQ((*root)->device_path, "/dev/dm-2");
  EXPECT_TRUE((*root)->readonly);
}

TEST_F(HostDiskTest, OtherDirectoriesAreNoMappedDevice) {
  host_.AddMapped(2, "vg-rootfs");
  host_.AddMapped(3, "vg-part");
  host_.AddMount("2 1 253:2 / /srv/rootfs rw - ext4 /dev/mapper/vg-rootfs rw");
  host_.AddMount("3 1 253:3 /sub /srv/part rw - ext4 /dev/mapper/vg-part rw");
  const auto is_root = [&](const std::string& directory, unsigned minor_number, unsigned major_number = 253) {
    return FindMappedRoot(host_.tree(), directory, makedev(major_number, minor_number))->has_value();
  };
  EXPECT_TRUE(is_root("/srv/rootfs", 2));
  EXPECT_FALSE(is_root("/srv/rootfs/below", 2));
  EXPECT_FALSE(is_root("/srv/part", 3)) << "a part of the file system only";
  EXPECT_FALSE(is_root("/", 1, 8)) << "not of device-mapper";
  host_.AddMount("4 2 8:1 / /srv/rootfs rw - ext4 /dev/sda1 rw");
  EXPECT_FALSE(is_root("/srv/rootfs", 2)) << "another file system covers it";
}

}  // namespace
}  // namespace vcd

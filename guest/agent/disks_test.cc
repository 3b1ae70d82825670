// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/disks.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace vcd::guest {
namespace {

class FindScsiDiskTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/vcd-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    sysfs_ = pattern;
    AddHost("0", "ahci");
    AddHost("2", "virtio_scsi");
  }
  void TearDown() override { std::filesystem::remove_all(sysfs_); }

  void AddHost(const std::string& number, const std::string& driver) {
    const std::string directory = sysfs_ + "/class/scsi_host/host" + number;
    std::filesystem::create_directories(directory);
    std::ofstream(directory + "/proc_name") << driver << "\n";
  }
  void AddDisk(const std::string& address, const std::string& name) {
    std::filesystem::create_directories(sysfs_ + "/bus/scsi/devices/" + address + "/block/" + name);
  }

  std::string sysfs_;
};

TEST_F(FindScsiDiskTest, GoesByAddressAndDriver) {
  AddDisk("0:0:0:3", "sda");  // Another controller's.
  AddDisk("2:0:0:13", "sdb");
  AddDisk("2:0:0:3", "sdc");
  AddDisk("2:0:1:3", "sdd");
  EXPECT_EQ(FindScsiDisk(sysfs_, 0, 3), "sdc");
  EXPECT_EQ(FindScsiDisk(sysfs_, 1, 3), "sdd");
  EXPECT_EQ(FindScsiDisk(sysfs_, 0, 13), "sdb");
}

TEST_F(FindScsiDiskTest, IsEmptyUntilTheKernelHasTheDisk) {
  EXPECT_EQ(FindScsiDisk(sysfs_, 0, 3), "");
  std::filesystem::create_directories(sysfs_ + "/bus/scsi/devices/2:0:0:3");  // Found, but sd has not taken it yet.
  EXPECT_EQ(FindScsiDisk(sysfs_, 0, 3), "");
  EXPECT_EQ(FindScsiDisk("/nonexistent", 0, 3), "");
}

TEST_F(FindScsiDiskTest, VirtioBlkDisksGoBySerial) {
  const auto add = [this](const std::string& name, const std::string& serial) {
    std::filesystem::create_directories(sysfs_ + "/block/" + name);
    std::ofstream(sysfs_ + "/block/" + name + "/serial") << serial;
  };
  add("sda", "mount-1");
  add("vda", "mount-10");
  EXPECT_EQ(FindBlkDisk(sysfs_, "mount-1"), "");
  add("vdb", "mount-1");
  EXPECT_EQ(FindBlkDisk(sysfs_, "mount-1"), "vdb");
  EXPECT_EQ(FindBlkDisk(sysfs_, "mount-10"), "vda");
}

TEST(DiskFilesystemTest, WhatIsOnlyReadReplaysNoJournal) {
  using Options = std::vector<std::string>;
  const FilesystemRequest written = DiskFilesystem("ext4", "/dev/sda", {"noatime"});
  EXPECT_FALSE(written.readonly);
  EXPECT_EQ(written.options, (Options{"nodev", "noatime"}));
  const FilesystemRequest read = DiskFilesystem("ext4", "/dev/sda", {"rw", "ro"});
  EXPECT_TRUE(read.readonly);
  EXPECT_EQ(read.options, (Options{"nodev", "rw", "ro", "noload"}));
  EXPECT_EQ(DiskFilesystem("xfs", "/dev/sda", {"ro"}).options, (Options{"nodev", "ro", "nouuid", "norecovery"}));
  EXPECT_TRUE(DiskFilesystem("erofs", "/dev/sda", {}).readonly);
}

}  // namespace
}  // namespace vcd::guest

// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/scsi_disks.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

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

}  // namespace
}  // namespace vcd::guest

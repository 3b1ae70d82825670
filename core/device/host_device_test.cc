// SPDX-License-Identifier: Apache-2.0
#include "core/device/host_device.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#undef major
#undef minor

#include <fstream>

#include "absl/strings/str_cat.h"
#include "core/device/testing/made_host.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(HostDeviceTest, TellsDisksGroupsAndOthersApart) {
  MadeHost host;
  std::ofstream(host.root() + "/image") << "x";
  EXPECT_EQ(*ClassifyHostDevice(host.root() + "/image"), HostDeviceKind::kDisk);
  EXPECT_EQ(*ClassifyHostDevice("/dev/vfio/12"), HostDeviceKind::kVfioGroup);
  EXPECT_EQ(ClassifyHostDevice("/dev/vfio/vfio").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ClassifyHostDevice("/dev/vfio/noiommu-0").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ClassifyHostDevice(host.root()).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ClassifyHostDevice(host.root() + "/none").status().code(), absl::StatusCode::kNotFound);
}

// Nodes of a test's own: which there are on a host is its own affair.
TEST(HostDeviceTest, ACharacterDeviceWhoseNumberSaysWhatItIsIsTheGuestsOwn) {
  if (geteuid() != 0) GTEST_SKIP() << "making nodes takes root";
  const struct {
    unsigned major;
    unsigned minor;
    bool guests_own;
  } devices[] = {{1, 3, true},     {5, 0, true},     {10, 200, true},  {10, 229, true}, {10, 254, true},  {5, 1, false},
                 {10, 127, false}, {10, 255, false}, {10, 260, false}, {4, 64, false},  {226, 128, false}};
  MadeHost host;
  for (const auto& device : devices) {
    const std::string node = absl::StrCat(host.root(), "/", device.major, "-", device.minor);
    const dev_t number = gnu_dev_makedev(device.major, device.minor);
    ASSERT_EQ(mknod(node.c_str(), S_IFCHR | 0600, number), 0);
    const absl::StatusOr<HostDeviceKind> kind = ClassifyHostDevice(node);
    if (device.guests_own) {
      ASSERT_TRUE(kind.ok()) << kind.status();
      EXPECT_EQ(*kind, HostDeviceKind::kGuestsOwn) << node;
      EXPECT_EQ(*FindGuestsDevice(node), number);
      continue;
    }
    EXPECT_EQ(kind.status().code(), absl::StatusCode::kUnimplemented) << node;
    EXPECT_THAT(Message(kind.status()), AllOf(HasSubstr(node), HasSubstr("/dev/vfio/N")));
    EXPECT_EQ(FindGuestsDevice(node).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(FindGuestsDevice(host.root() + "/none").status().code(), absl::StatusCode::kNotFound);
}

TEST(HostDeviceTest, GivesAllDevicesOfAGroupButBridges) {
  MadeHost host;
  host.AddPciDevice("7", "0001:02:00.1", "0x020000", "vfio-pci");
  host.AddPciDevice("7", "0000:02:00.0", "0x020000", "vfio-pci");
  host.AddPciDevice("7", "0000:00:1c.0", "0x060400", "pcieport");
  host.AddPciDevice("8", "0000:03:00.0", "0x010802", "vfio-pci");
  EXPECT_THAT(*FindVfioDevices(host.tree(), "/dev/vfio/7"), ElementsAre("0000:02:00.0", "0001:02:00.1"));
}

TEST(HostDeviceTest, ADeviceThatTheHostDrivesKeepsTheGroup) {
  MadeHost host;
  host.AddPciDevice("7", "0000:02:00.0", "0x020000", "vfio-pci");
  host.AddPciDevice("7", "0000:02:00.1", "0x020000", "e1000e");
  const absl::Status status = FindVfioDevices(host.tree(), "/dev/vfio/7").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), AllOf(HasSubstr("0000:02:00.1 is driven by e1000e"), HasSubstr("vfio-pci")));
}

TEST(HostDeviceTest, GroupsWithoutDevicesAreNotFound) {
  MadeHost host;
  host.AddPciDevice("7", "0000:00:1c.0", "0x060400", "pcieport");
  EXPECT_EQ(FindVfioDevices(host.tree(), "/dev/vfio/7").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(FindVfioDevices(host.tree(), "/dev/vfio/9").status().code(), absl::StatusCode::kNotFound);
}

TEST(HostDeviceTest, WhatIsNoPciDeviceIsRefused) {
  MadeHost host;
  host.AddPciDevice("7", "fsl-mc.0", "0x0", "vfio-fsl-mc");
  EXPECT_EQ(FindVfioDevices(host.tree(), "/dev/vfio/7").status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace vcd

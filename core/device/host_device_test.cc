// SPDX-License-Identifier: Apache-2.0
#include "core/device/host_device.h"

#include <fstream>

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
  const absl::Status character = ClassifyHostDevice("/dev/null").status();
  EXPECT_EQ(character.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(Message(character), AllOf(HasSubstr("/dev/null"), HasSubstr("/dev/vfio/N")));
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

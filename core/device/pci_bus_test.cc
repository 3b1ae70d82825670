// SPDX-License-Identifier: Apache-2.0
#include "core/device/pci_bus.h"

#include "core/device/testing/made_host.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr char kAddress[] = "0000:3b:00.0";
constexpr char kOther[] = "0000:3b:00.1";

class PciBusTest : public testing::Test {
 protected:
  PciBusTest() {
    host_.AddPciDevice("7", "0000:3a:00.0", "0x060400", "pcieport");
    host_.AddPciDevice("7", kAddress, "0x020000", "ixgbe");
    host_.AddPciDevice("9", "0000:00:02.0", "0x030000", "vfio-pci");
  }

  MadeHost host_;
  PciBus bus_{host_.tree(), host_.Kernel()};
};

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST_F(PciBusTest, GivesADeviceToVfioAndBack) {
  EXPECT_EQ(bus_.DriverOf(kAddress), "ixgbe");
  EXPECT_EQ(*bus_.GroupOf(kAddress), "7");
  EXPECT_EQ(bus_.CheckGroup(kAddress, {}), absl::OkStatus()) << "a bridge in its group does no harm";
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(bus_.GiveToVfio(kAddress), absl::OkStatus());
    EXPECT_EQ(bus_.DriverOf(kAddress), "vfio-pci");
  }
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(bus_.Return(kAddress, "ixgbe", ""), absl::OkStatus());
    EXPECT_EQ(bus_.DriverOf(kAddress), "ixgbe");
    EXPECT_EQ(bus_.OverrideOf(kAddress), "");
  }
}

TEST_F(PciBusTest, WhatTheAdministratorWantedIsWantedAfterwards) {
  host_.Write("bus/pci/devices/0000:3b:00.0/driver_override", "ixgbe");
  ASSERT_EQ(bus_.GiveToVfio(kAddress), absl::OkStatus());
  ASSERT_EQ(bus_.Return(kAddress, "ixgbe", "ixgbe"), absl::OkStatus());
  EXPECT_EQ(bus_.OverrideOf(kAddress), "ixgbe");
  EXPECT_EQ(bus_.DriverOf(kAddress), "ixgbe");
}

TEST_F(PciBusTest, ComesBackFromWhereverGivingStopped) {
  for (int write = 1; write <= 3; ++write) {
    host_.FailWrite(write);
    EXPECT_EQ(bus_.GiveToVfio(kAddress).code(), absl::StatusCode::kResourceExhausted) << write;
    EXPECT_EQ(bus_.Return(kAddress, "ixgbe", ""), absl::OkStatus());
    EXPECT_EQ(bus_.DriverOf(kAddress), "ixgbe");
    EXPECT_EQ(bus_.OverrideOf(kAddress), "");
  }
  for (int write = 1; write <= 3; ++write) {
    ASSERT_EQ(bus_.GiveToVfio(kAddress), absl::OkStatus());
    host_.FailWrite(write);
    EXPECT_FALSE(bus_.Return(kAddress, "ixgbe", "").ok()) << write;
    EXPECT_EQ(bus_.Return(kAddress, "ixgbe", ""), absl::OkStatus());
    EXPECT_EQ(bus_.DriverOf(kAddress), "ixgbe");
  }
}

TEST_F(PciBusTest, AGroupGoesAsAWhole) {
  host_.AddPciDevice("7", kOther, "0x020000", "ixgbe");
  const absl::Status status = bus_.CheckGroup(kAddress, {});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), AllOf(HasSubstr(kOther), HasSubstr("ixgbe"), HasSubstr("IOMMU group 7")));
  EXPECT_EQ(bus_.CheckGroup(kAddress, {kOther}), absl::OkStatus()) << "the machine gets both";
  ASSERT_EQ(bus_.GiveToVfio(kOther), absl::OkStatus());
  EXPECT_EQ(bus_.CheckGroup(kAddress, {}), absl::OkStatus());
}

TEST_F(PciBusTest, SaysWhatTheHostLacks) {
  MadeHost bare;
  bare.Write("bus/pci/devices/0000:3b:00.0/class", "0x020000");
  const PciBus bus(bare.tree(), bare.Kernel());
  EXPECT_THAT(Message(bus.CheckGroup(kAddress, {})), HasSubstr("modprobe vfio-pci"));
  bare.Write("bus/pci/drivers/vfio-pci/new_id", "");
  const absl::Status status = bus.CheckGroup(kAddress, {});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), HasSubstr("intel_iommu=on"));
}

TEST_F(PciBusTest, ADeviceThatIsGoneNeedsNoDriver) {
  EXPECT_EQ(bus_.Return("0000:77:00.0", "ixgbe", ""), absl::OkStatus());
  EXPECT_FALSE(bus_.GiveToVfio("0000:77:00.0").ok());
}

TEST(WriteKernelFileTest, MakesNoFilesAndNamesBoth) {
  TemporaryDirectory directory;
  const std::string path = directory.path() + "/unbind";
  const absl::Status status = WriteKernelFile(path, kAddress);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(status), AllOf(HasSubstr(path), HasSubstr(kAddress)));
  std::ofstream(path) << "";
  EXPECT_EQ(WriteKernelFile(path, kAddress), absl::OkStatus());
  EXPECT_EQ(ReadKernelLine(path), kAddress);
}

TEST(IsPciAddressTest, TellsAddressesFromOtherText) {
  for (const char* good : {"0000:01:00.0", "10000:e1:00.7", "abcd:ff:1f.7"}) EXPECT_TRUE(IsPciAddress(good)) << good;
  for (const char* bad : {"", "01:00.0", "0000:01:00", "0000:01:00-0", "0000:0g:00.0", "0000:01:00.0/", "0000:01:00.8",
                          "0000:0A:00.0", "virtio0"}) {
    EXPECT_FALSE(IsPciAddress(bad)) << bad;
  }
}

}  // namespace
}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_pci_devices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "backends/hypervisor/qemu/testing/scripted_qmp_peer.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kCard[] = "0000:3b:00.1";

class QemuPciDevicesTest : public testing::Test {
 protected:
  static CallContext Soon() { return {absl::Now() + absl::Minutes(1), nullptr}; }

  state::v1::VirtualMachine Record() {
    state::v1::VirtualMachine record;
    devices_.WriteTo(&record);
    return record;
  }

  IoThread io_;
  ScriptedQmpPeer peer_;
  std::unique_ptr<QmpClient> qmp_ = *QmpClient::Connect(io_, peer_.TakeClientSocket(), "ctl", {}, Soon());
  PciSlots slots_{"q35", 1};
  QemuPciDevices devices_{*qmp_, slots_};
};

TEST_F(QemuPciDevicesTest, PassesADeviceThroughAndTakesItAway) {
  ASSERT_TRUE(devices_.AttachHostDevice("gpu", kCard, Soon()).ok());
  const nlohmann::json device = peer_.arguments("device_add");
  EXPECT_EQ(device["driver"], "vfio-pci");
  EXPECT_EQ(device["host"], kCard);
  EXPECT_EQ(device["bus"], slots_.Address(kFirstFreeSlot)["bus"]);
  ASSERT_EQ(Record().pci_devices_size(), 1);
  EXPECT_EQ(Record().pci_devices(0).host_address(), kCard);
  EXPECT_EQ(Record().pci_devices(0).slot(), kFirstFreeSlot);
  EXPECT_EQ(devices_.AttachHostDevice("gpu", "0000:00:01.0", Soon()).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(devices_.AttachHostDevice("nic", kCard, Soon()).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(devices_.AttachHostDevice("nic", "0000:00:01.0", Soon()).code(), absl::StatusCode::kResourceExhausted);

  EXPECT_TRUE(devices_.Detach("gpu", Soon()).ok());
  EXPECT_TRUE(devices_.Detach("gpu", Soon()).ok());
  EXPECT_THAT(peer_.held(), IsEmpty());
  EXPECT_EQ(Record().pci_devices_size(), 0);
  EXPECT_TRUE(devices_.AttachHostDevice("nic", "0000:00:01.0", Soon()).ok());
}

TEST_F(QemuPciDevicesTest, WhatQemuRefusesLeavesNothing) {
  peer_.Fail("device_add", "GenericError", "vfio 0000:3b:00.1: no iommu_group found: No such file or directory");
  const absl::Status failed = devices_.AttachHostDevice("gpu", kCard, Soon());
  EXPECT_EQ(failed.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(failed.message()), HasSubstr("no iommu_group"));
  EXPECT_THAT(peer_.held(), IsEmpty());
  EXPECT_EQ(Record().pci_devices_size(), 0);
  EXPECT_TRUE(devices_.AttachHostDevice("gpu", kCard, Soon()).ok());
}

TEST_F(QemuPciDevicesTest, DetachThatFailsCanBeTriedAgain) {
  ASSERT_TRUE(devices_.AttachHostDevice("gpu", kCard, Soon()).ok());
  peer_.Fail("device_del", "GenericError", "not today");
  EXPECT_EQ(devices_.Detach("gpu", Soon()).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Record().pci_devices_size(), 1);
  EXPECT_TRUE(devices_.Detach("gpu", Soon()).ok());
  EXPECT_THAT(peer_.held(), IsEmpty());
}

TEST_F(QemuPciDevicesTest, WhatCannotBeUndoneKeepsItsPlace) {
  peer_.Fail("device_add", "GenericError", "no such luck");
  peer_.Fail("device_del", "GenericError", "no, never");
  EXPECT_FALSE(devices_.AttachHostDevice("gpu", kCard, Soon()).ok());
  EXPECT_EQ(Record().pci_devices_size(), 0);
  EXPECT_FALSE(slots_.Take("other").ok());
}

TEST_F(QemuPciDevicesTest, AdoptionKeepsWhatIsRecordedAndRemovesTheRest) {
  ASSERT_TRUE(devices_.AttachHostDevice("gpu", kCard, Soon()).ok());
  PciSlots slots("q35", 2);
  QemuPciDevices adopted(*qmp_, slots);
  peer_.Return("qom-list", {{{"name", absl::StrCat("pci-", kFirstFreeSlot)}},
                            {{"name", absl::StrCat("pci-", kFirstFreeSlot + 1)}},
                            {{"name", "disk-1"}}});
  ASSERT_TRUE(adopted.Adopt(Record(), Soon()).ok());
  EXPECT_EQ(peer_.arguments("device_del")["id"], absl::StrCat("pci-", kFirstFreeSlot + 1));
  EXPECT_THAT(peer_.held(), ElementsAre(absl::StrCat("device pci-", kFirstFreeSlot)));
  EXPECT_EQ(*slots.Take("other"), kFirstFreeSlot + 1);
  EXPECT_TRUE(adopted.Detach("gpu", Soon()).ok());
}

TEST_F(QemuPciDevicesTest, TakesFullAddressesOnly) {
  for (const char* address : {"", "01:00.0", "0000:01:00", "0000:01:00.8", "0000:0g:00.0", "0000:01:00.0,x=y"}) {
    EXPECT_EQ(devices_.AttachHostDevice("gpu", address, Soon()).code(), absl::StatusCode::kInvalidArgument) << address;
  }
  EXPECT_THAT(peer_.commands(), ElementsAre("qmp_capabilities"));
}

}  // namespace
}  // namespace vcd

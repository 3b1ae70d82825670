// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/pci_slots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(PciSlotsTest, HandsOutTheLowestFreeOneAndTakesItBack) {
  PciSlots slots("q35", 3);
  EXPECT_EQ(*slots.Take("a"), kFirstFreeSlot);
  EXPECT_EQ(*slots.Take("b"), kFirstFreeSlot + 1);
  slots.Release(kFirstFreeSlot);
  EXPECT_EQ(*slots.Take("c"), kFirstFreeSlot);
  EXPECT_EQ(*slots.Take("d"), kFirstFreeSlot + 2);
}

TEST(PciSlotsTest, AFullMachineSaysWhatToDo) {
  PciSlots slots("q35", 1);
  ASSERT_TRUE(slots.Take("a").ok());
  const absl::Status full = slots.Take("disk b").status();
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(full.message()), AllOf(HasSubstr("disk b"), HasSubstr("hotplug_slots")));
  EXPECT_FALSE(PciSlots("pc", 0).Take("a").ok());
}

TEST(PciSlotsTest, WhatIsRecordedIsTaken) {
  PciSlots slots("q35", 3);
  ASSERT_TRUE(slots.TakeRecorded("a", kFirstFreeSlot).ok());
  EXPECT_TRUE(slots.TakeRecorded("a", kFirstFreeSlot).ok());
  EXPECT_EQ(slots.TakeRecorded("b", kFirstFreeSlot).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(*slots.Take("c"), kFirstFreeSlot + 1);
}

TEST(PciSlotsTest, KnowsWhereTheyAre) {
  EXPECT_EQ(PciSlots("q35", 1).Address(1), nlohmann::json({{"bus", "rp1"}}));
  EXPECT_EQ(PciSlots("pc", 1).Address(1), nlohmann::json({{"bus", "pci.0"}, {"addr", "0x8"}}));
  EXPECT_EQ(PciSlots("pc", 1).Address(kFirstFreeSlot + kMaxHotplugSlots - 1)["addr"], "0x1f");
}

}  // namespace
}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_disks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "backends/hypervisor/qemu/testing/scripted_qmp_peer.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class QemuDisksTest : public testing::Test {
 protected:
  QemuDisksTest() {
    char root[] = "/tmp/vcd-test-XXXXXX";
    root_ = mkdtemp(root);
    image_ = root_ + "/image";
    std::ofstream(image_) << "x";
    qmp_ = *QmpClient::Connect(io_, peer_.TakeClientSocket(), "ctl", {}, Soon());
    Use(kVirtioScsi);
  }
  ~QemuDisksTest() override { std::filesystem::remove_all(root_); }

  void Use(const std::string& driver) { disks_ = std::make_unique<QemuDisks>(*qmp_, slots_, driver); }

  static CallContext Soon() { return {absl::Now() + absl::Minutes(1), nullptr}; }

  int Recorded() {
    state::v1::VirtualMachine record;
    disks_->WriteTo(&record);
    return record.block_devices_size();
  }

  // What QEMU answers when there is nothing of that name.
  void NothingThere() {
    peer_.Fail("device_del", "DeviceNotFound", "Device 'disk-0' not found");
    peer_.Fail("blockdev-del", "GenericError", "Failed to find node with node-name='disk-0'");
    peer_.Fail("remove-fd", "GenericError", "File descriptor named 'fdset-id:100' not found");
  }

  std::string root_;
  std::string image_;
  IoThread io_;
  ScriptedQmpPeer peer_;
  std::unique_ptr<QmpClient> qmp_;
  PciSlots slots_{"q35", 2};
  std::unique_ptr<QemuDisks> disks_;
};

TEST_F(QemuDisksTest, ImagesEnterAsDescriptorsReadOnly) {
  auto address = disks_->Attach({"rootfs", image_}, Soon());
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_EQ(address->scsi.target, 0u);
  EXPECT_EQ(address->scsi.lun, 0u);
  EXPECT_EQ(peer_.received_fds(), 1);
  const nlohmann::json node = peer_.arguments("blockdev-add");
  EXPECT_EQ(node["read-only"], true);
  EXPECT_EQ(node["file"]["driver"], "file");
  EXPECT_EQ(node["file"]["read-only"], true);
  EXPECT_EQ(node["file"]["filename"], "/dev/fdset/100");
  EXPECT_EQ(peer_.arguments("device_add")["lun"], 0);
  EXPECT_EQ(Recorded(), 1);
}

TEST_F(QemuDisksTest, WritableOnesAreLockedAndTellTheGuestOfErrors) {
  ASSERT_TRUE(disks_->Attach({"data", image_, /*writable=*/true}, Soon()).ok());
  const nlohmann::json node = peer_.arguments("blockdev-add");
  EXPECT_EQ(node["read-only"], false);
  EXPECT_EQ(node["discard"], "unmap");
  EXPECT_EQ(node["file"]["read-only"], false);
  EXPECT_EQ(node["file"]["locking"], "on");
  EXPECT_EQ(peer_.arguments("device_add")["werror"], "report");
  state::v1::VirtualMachine record;
  disks_->WriteTo(&record);
  EXPECT_TRUE(record.block_devices(0).writable());
}

TEST_F(QemuDisksTest, VirtioBlkIsAPciDeviceWithASerialNumber) {
  Use(kVirtioBlk);
  auto address = disks_->Attach({"rootfs", image_}, Soon());
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_EQ(address->serial, "rootfs");
  const nlohmann::json device = peer_.arguments("device_add");
  EXPECT_EQ(device["driver"], "virtio-blk-pci");
  EXPECT_EQ(device["serial"], "rootfs");
  EXPECT_EQ(device["bus"], slots_.Address(kFirstFreeSlot)["bus"]);
  state::v1::VirtualMachine record;
  disks_->WriteTo(&record);
  EXPECT_EQ(record.block_devices(0).driver(), "virtio-blk");
  EXPECT_EQ(record.block_devices(0).slot(), kFirstFreeSlot);
  EXPECT_EQ(disks_->Attach({"an-id-that-is-too-long", image_}, Soon()).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(QemuDisksTest, NodesAreDescribedByTheirDisks) {
  for (const char* driver : {kVirtioScsi, kVirtioBlk}) {
    Use(driver);
    ASSERT_TRUE(disks_->Attach({"data", image_, /*writable=*/true}, Soon()).ok());
    const std::string node = peer_.arguments("blockdev-add")["node-name"];
    EXPECT_EQ(disks_->Describe(node), absl::StrCat("disk data (", image_, ")")) << driver;
    EXPECT_EQ(disks_->Describe("disk-99"), "disk disk-99");
  }
}

TEST_F(QemuDisksTest, FullMachineTakesNoMoreVirtioBlk) {
  Use(kVirtioBlk);
  ASSERT_TRUE(disks_->Attach({"one", image_}, Soon()).ok());
  ASSERT_TRUE(disks_->Attach({"two", image_}, Soon()).ok());
  EXPECT_EQ(disks_->Attach({"three", image_}, Soon()).status().code(), absl::StatusCode::kResourceExhausted);
  ASSERT_TRUE(disks_->Detach("one", Soon()).ok());
  EXPECT_TRUE(disks_->Attach({"three", image_}, Soon()).ok());
}

TEST_F(QemuDisksTest, AdoptedVirtioBlkKeepsItsSlot) {
  Use(kVirtioBlk);
  ASSERT_TRUE(disks_->Attach({"one", image_}, Soon()).ok());
  state::v1::VirtualMachine record;
  disks_->WriteTo(&record);
  PciSlots slots("q35", 2);
  QemuDisks adopted(*qmp_, slots, kVirtioBlk);
  peer_.Return("qom-list", {{{"name", absl::StrCat("disk-", kFirstFreeSlot)}}});
  peer_.Return("query-named-block-nodes", nlohmann::json::array());
  ASSERT_TRUE(adopted.Adopt(record, Soon()).ok());
  EXPECT_EQ(*slots.Take("other"), kFirstFreeSlot + 1);
  EXPECT_TRUE(adopted.Detach("one", Soon()).ok());
  EXPECT_THAT(peer_.held(), IsEmpty());
  EXPECT_EQ(*slots.Take("more"), kFirstFreeSlot);
}

struct Step {
  std::string driver;
  std::string command;
};

std::vector<Step> Steps(const std::vector<std::string>& commands) {
  std::vector<Step> steps;
  for (const char* driver : {kVirtioScsi, kVirtioBlk}) {
    for (const std::string& command : commands) steps.push_back({driver, command});
  }
  return steps;
}

std::string StepName(const testing::TestParamInfo<Step>& info) {
  std::string name = absl::StrCat(info.param.driver, "_", info.param.command);
  for (char& c : name) c = isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
}

// A failure at each command of an attachment: the place is free again, and nothing of it is left in QEMU.
class QemuDisksAttachStepTest : public QemuDisksTest, public testing::WithParamInterface<Step> {
 protected:
  QemuDisksAttachStepTest() { Use(GetParam().driver); }

  void ExpectTheFirstPlaceIsFree() {
    EXPECT_EQ(Recorded(), 0);
    EXPECT_THAT(peer_.held(), IsEmpty());
    ASSERT_TRUE(disks_->Attach({"again", image_}, Soon()).ok());
    state::v1::VirtualMachine record;
    disks_->WriteTo(&record);
    EXPECT_EQ(record.block_devices(0).lun(), 0u);
    EXPECT_EQ(record.block_devices(0).slot(), GetParam().driver == kVirtioBlk ? kFirstFreeSlot : 0);
  }
};

TEST_P(QemuDisksAttachStepTest, FailureLeavesNothing) {
  peer_.Fail(GetParam().command, "GenericError", "no such luck");
  const absl::Status failed = disks_->Attach({"rootfs", image_, true}, Soon()).status();
  EXPECT_EQ(failed.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(failed.message()), HasSubstr("no such luck"));
  ExpectTheFirstPlaceIsFree();
}

TEST_P(QemuDisksAttachStepTest, CancellationLeavesNothing) {
  // It may have had its effect.
  peer_.StaySilent(GetParam().command);
  Cancellation cancellation;
  std::thread canceller([&] {
    EXPECT_TRUE(peer_.WaitFor(GetParam().command));
    cancellation.Cancel(absl::AbortedError("preempted"));
  });
  EXPECT_EQ(disks_->Attach({"rootfs", image_}, {absl::InfiniteFuture(), &cancellation}).status().code(),
            absl::StatusCode::kAborted);
  canceller.join();
  ExpectTheFirstPlaceIsFree();
}

INSTANTIATE_TEST_SUITE_P(Steps, QemuDisksAttachStepTest,
                         testing::ValuesIn(Steps({"add-fd", "blockdev-add", "device_add"})), StepName);

// A failure at each command of a detachment: the disk is still there for the record, and a second try ends it.
class QemuDisksDetachStepTest : public QemuDisksTest, public testing::WithParamInterface<Step> {};

TEST_P(QemuDisksDetachStepTest, CanBeTriedAgain) {
  Use(GetParam().driver);
  ASSERT_TRUE(disks_->Attach({"rootfs", image_}, Soon()).ok());
  peer_.Fail(GetParam().command, "GenericError", "not today");
  const absl::Status failed = disks_->Detach("rootfs", Soon());
  EXPECT_EQ(failed.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(failed.message()), HasSubstr("not today"));
  EXPECT_EQ(Recorded(), 1);
  EXPECT_TRUE(disks_->Detach("rootfs", Soon()).ok());
  EXPECT_EQ(Recorded(), 0);
  EXPECT_THAT(peer_.held(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Steps, QemuDisksDetachStepTest,
                         testing::ValuesIn(Steps({"device_del", "blockdev-del", "remove-fd"})), StepName);

TEST_F(QemuDisksTest, WhatIsNotThereNeedsNoUndo) {
  peer_.Fail("add-fd", "GenericError", "no such luck");
  NothingThere();
  EXPECT_FALSE(disks_->Attach({"rootfs", image_}, Soon()).ok());
  EXPECT_EQ(disks_->Attach({"other", image_}, Soon())->scsi.lun, 0u);
}

TEST_F(QemuDisksTest, WhatCannotBeUndoneKeepsItsLun) {
  peer_.Fail("device_add", "GenericError", "no such luck");
  peer_.Fail("device_del", "GenericError", "no, never");
  EXPECT_FALSE(disks_->Attach({"rootfs", image_}, Soon()).ok());
  auto again = disks_->Attach({"rootfs", image_}, Soon());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->scsi.lun, 1u);
  EXPECT_EQ(Recorded(), 1);
}

TEST_F(QemuDisksTest, DetachWaitsForTheGuestBeforeItTakesTheImage) {
  ASSERT_TRUE(disks_->Attach({"rootfs", image_}, Soon()).ok());
  const size_t before = peer_.commands().size();
  ASSERT_TRUE(disks_->Detach("rootfs", Soon()).ok());
  std::vector<std::string> commands = peer_.commands();
  commands.erase(commands.begin(), commands.begin() + static_cast<long>(before));
  EXPECT_THAT(commands, ElementsAre("device_del", "blockdev-del", "remove-fd"));
  EXPECT_EQ(Recorded(), 0);
}

TEST_F(QemuDisksTest, DetachThatFailsKeepsTheDiskAndCanBeTriedAgain) {
  ASSERT_TRUE(disks_->Attach({"rootfs", image_}, Soon()).ok());
  peer_.Fail("blockdev-del", "GenericError", "not today");
  EXPECT_EQ(disks_->Detach("rootfs", Soon()).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Recorded(), 1);
  peer_.Fail("device_del", "DeviceNotFound", "Device 'disk-0' not found");
  EXPECT_TRUE(disks_->Detach("rootfs", Soon()).ok());
  EXPECT_EQ(Recorded(), 0);
}

TEST_F(QemuDisksTest, DetachOfOneThatIsBeingUnpluggedWaitsForIt) {
  ASSERT_TRUE(disks_->Attach({"rootfs", image_}, Soon()).ok());
  peer_.AnswerWith("device_del", {R"({"id": $ID, "error": {"class": "GenericError", "desc": )"
                                  R"("Device disk-0 is already in the process of unplug"}})",
                                  R"({"event": "DEVICE_DELETED", "data": {"device": "disk-0"}})"});
  EXPECT_TRUE(disks_->Detach("rootfs", Soon()).ok());
}

TEST_F(QemuDisksTest, DetachWaitsForADeviceThatLivesOnWithoutItsName) {
  ASSERT_TRUE(disks_->Attach({"rootfs", image_}, Soon()).ok());
  peer_.Fail("device_del", "DeviceNotFound", "Device 'disk-0' not found");
  peer_.AnswerWith("blockdev-del",
                   {R"({"id": $ID, "error": {"class": "GenericError", "desc": "Node disk-0 is in use"}})",
                    R"({"event": "DEVICE_DELETED", "data": {"device": "disk-0"}})"});
  EXPECT_TRUE(disks_->Detach("rootfs", Soon()).ok());
}

TEST_F(QemuDisksTest, AdoptionRemovesUnknownDevicesAndNodes) {
  state::v1::VirtualMachine record;
  record.add_block_devices()->set_id("kept");
  record.mutable_block_devices(0)->set_lun(0);
  peer_.Return("qom-list", {{{"name", "disk-0"}}, {{"name", "disk-1"}}, {{"name", "scsi0"}}});
  peer_.Return("query-named-block-nodes", {{{"node-name", "disk-0"}}, {{"node-name", "#block123"}}});
  ASSERT_TRUE(disks_->Adopt(record, Soon()).ok());
  EXPECT_EQ(peer_.arguments("device_del")["id"], "disk-1");
  EXPECT_EQ(Recorded(), 1);
  EXPECT_EQ(disks_->Attach({"new", image_}, Soon())->scsi.lun, 1u);
}

TEST_F(QemuDisksTest, RefusesWhatIsNoImage) {
  EXPECT_EQ(disks_->Attach({"d", root_}, Soon()).status().code(), absl::StatusCode::kInvalidArgument);
  std::ofstream(root_ + "/empty");
  EXPECT_EQ(disks_->Attach({"d", root_ + "/empty"}, Soon()).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(disks_->Attach({"d", "/dev/null"}, Soon()).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(disks_->Attach({"d", root_ + "/none"}, Soon()).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(peer_.received_fds(), 0);
}

}  // namespace
}  // namespace vcd

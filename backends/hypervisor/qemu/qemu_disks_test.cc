// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_disks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "backends/hypervisor/qemu/testing/scripted_qmp_peer.h"

namespace vcd {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class QemuDisksTest : public testing::Test {
 protected:
  QemuDisksTest() {
    char root[] = "/tmp/vcd-test-XXXXXX";
    root_ = mkdtemp(root);
    image_ = root_ + "/image";
    std::ofstream(image_) << "x";
    qmp_ = *QmpClient::Connect(io_, peer_.TakeClientSocket(), "ctl", {}, Soon());
    disks_ = std::make_unique<QemuDisks>(*qmp_);
  }
  ~QemuDisksTest() override { std::filesystem::remove_all(root_); }

  static CallContext Soon() { return {absl::Now() + absl::Seconds(10), nullptr}; }

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

// A failure at each step: the LUN is free again, and nothing of it is left in QEMU.
class QemuDisksStepTest : public QemuDisksTest, public testing::WithParamInterface<std::string> {};

TEST_P(QemuDisksStepTest, FailureLeavesNothing) {
  peer_.Fail(GetParam(), "GenericError", "no such luck");
  const absl::Status failed = disks_->Attach({"rootfs", image_}, Soon()).status();
  EXPECT_EQ(failed.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(failed.message()), HasSubstr("no such luck"));
  EXPECT_EQ(Recorded(), 0);
  EXPECT_THAT(peer_.commands(), Contains("remove-fd"));
  auto again = disks_->Attach({"rootfs", image_}, Soon());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->scsi.lun, 0u);
}

TEST_P(QemuDisksStepTest, CancellationLeavesNothing) {
  peer_.StaySilent(GetParam());
  Cancellation cancellation;
  std::thread canceller([&] {
    EXPECT_TRUE(peer_.WaitFor(GetParam()));
    cancellation.Cancel(absl::AbortedError("preempted"));
  });
  EXPECT_EQ(disks_->Attach({"rootfs", image_}, {absl::InfiniteFuture(), &cancellation}).status().code(),
            absl::StatusCode::kAborted);
  canceller.join();
  EXPECT_THAT(peer_.commands(), Contains("device_del"));
  EXPECT_THAT(peer_.commands(), Contains("blockdev-del"));
  EXPECT_THAT(peer_.commands(), Contains("remove-fd"));
  EXPECT_EQ(Recorded(), 0);
}

INSTANTIATE_TEST_SUITE_P(Steps, QemuDisksStepTest, testing::Values("add-fd", "blockdev-add", "device_add"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = isalnum(static_cast<unsigned char>(c)) ? c : '_';
                           return name;
                         });

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
  peer_.AnswerWith("device_del",
                   {R"({"id": $ID, "error": {"class": "GenericError", "desc": )"
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

// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "backends/hypervisor/qemu/qemu_pci_devices.h"
#include "backends/hypervisor/qemu/testing/scripted_qmp_peer.h"
#include "core/os/testing/temporary_directory.h"
#include "core/os/unix_socket.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr char kMac[] = "02:00:5e:00:53:01";

// One end of a pipe tells when all others have been closed.
struct Pipe {
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) abort();
    watched.Reset(ends[0]);
    given.Reset(ends[1]);
  }
  bool all_closed() const {
    char byte;
    return read(watched.get(), &byte, 1) == 0;
  }
  UniqueFd watched;
  UniqueFd given;
};

class QemuNicTest : public testing::Test {
 protected:
  static CallContext Soon() { return {absl::Now() + absl::Minutes(1), nullptr}; }

  NicSpec Nic(const std::string& id, size_t queues = 1, bool vhost = false) {
    NicSpec nic;
    nic.id = id;
    nic.mac = kMac;
    for (size_t i = 0; i < queues; ++i) {
      for (std::vector<UniqueFd>* fds : {&nic.taps, vhost ? &nic.vhost : nullptr}) {
        if (fds == nullptr) continue;
        pipes_.emplace_back();
        fds->push_back(std::move(pipes_.back().given));
      }
    }
    return nic;
  }

  bool AllClosed() const {
    return std::all_of(pipes_.begin(), pipes_.end(), [](const Pipe& pipe) { return pipe.all_closed(); });
  }

  state::v1::VirtualMachine Record() {
    state::v1::VirtualMachine record;
    devices_.WriteTo(&record);
    return record;
  }

  static std::string Slot(uint32_t number) { return absl::StrCat(kFirstFreeSlot + number); }

  std::vector<Pipe> pipes_;
  IoThread io_;
  ScriptedQmpPeer peer_;
  std::unique_ptr<QmpClient> qmp_ = *QmpClient::Connect(io_, peer_.TakeClientSocket(), "ctl", {}, Soon());
  PciSlots slots_{"q35", 2};
  QemuPciDevices devices_{*qmp_, slots_};
};

TEST_F(QemuNicTest, PlugsATapIn) {
  NicSpec nic = Nic("nic-a");
  nic.mtu = 1400;
  ASSERT_EQ(devices_.AttachNic(std::move(nic), Soon()), absl::OkStatus());
  EXPECT_EQ(peer_.received_fds(), 1);
  EXPECT_TRUE(AllClosed());
  const nlohmann::json backend = peer_.arguments("netdev_add");
  EXPECT_EQ(backend["type"], "tap");
  EXPECT_EQ(backend["fds"], absl::StrCat("nic-", Slot(0), "-tap-0"));
  EXPECT_EQ(backend["vhost"], false);
  const nlohmann::json device = peer_.arguments("device_add");
  EXPECT_EQ(device["driver"], "virtio-net-pci");
  EXPECT_EQ(device["netdev"], backend["id"]);
  EXPECT_EQ(device["mac"], kMac);
  EXPECT_EQ(device["host_mtu"], 1400);
  EXPECT_EQ(device["romfile"], "");
  EXPECT_EQ(device["bus"], slots_.Address(kFirstFreeSlot)["bus"]);
  EXPECT_FALSE(device.contains("mq"));
  ASSERT_EQ(Record().pci_devices_size(), 1);
  EXPECT_EQ(Record().pci_devices(0).kind(), "nic");
  EXPECT_EQ(Record().pci_devices(0).mac(), kMac);
  EXPECT_EQ(Record().pci_devices(0).slot(), kFirstFreeSlot);
}

TEST_F(QemuNicTest, GivesEveryPairOfQueuesATapAndVhost) {
  ASSERT_EQ(devices_.AttachNic(Nic("nic-a", 3, /*vhost=*/true), Soon()), absl::OkStatus());
  EXPECT_EQ(peer_.received_fds(), 6);
  const std::string name = absl::StrCat("nic-", Slot(0));
  EXPECT_EQ(peer_.arguments("netdev_add")["fds"], absl::StrCat(name, "-tap-0:", name, "-tap-1:", name, "-tap-2"));
  EXPECT_EQ(peer_.arguments("netdev_add")["vhostfds"],
            absl::StrCat(name, "-vhost-0:", name, "-vhost-1:", name, "-vhost-2"));
  EXPECT_EQ(peer_.arguments("netdev_add")["vhost"], true);
  EXPECT_EQ(peer_.arguments("device_add")["mq"], true);
  EXPECT_EQ(peer_.arguments("device_add")["vectors"], 8);
  EXPECT_FALSE(peer_.arguments("device_add").contains("host_mtu"));
  EXPECT_THAT(peer_.held(), UnorderedElementsAre(absl::StrCat("device pci-", Slot(0)), absl::StrCat("netdev ", name)));
}

TEST_F(QemuNicTest, TakesTheDeviceAwayBeforeWhatItStandsOn) {
  ASSERT_EQ(devices_.AttachNic(Nic("nic-a"), Soon()), absl::OkStatus());
  EXPECT_EQ(devices_.AttachNic(Nic("nic-a"), Soon()).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(devices_.Detach("nic-a", Soon()), absl::OkStatus());
  EXPECT_EQ(devices_.Detach("nic-a", Soon()), absl::OkStatus());
  EXPECT_THAT(peer_.held(), IsEmpty());
  EXPECT_EQ(Record().pci_devices_size(), 0);
  std::vector<std::string> removals;
  for (const std::string& command : peer_.commands()) {
    if (command == "device_del" || command == "netdev_del") removals.push_back(command);
  }
  EXPECT_THAT(removals, ElementsAre("device_del", "netdev_del"));
  EXPECT_TRUE(AllClosed());
}

TEST_F(QemuNicTest, WaitsForTheGuestToLetGo) {
  ASSERT_EQ(devices_.AttachNic(Nic("nic-a"), Soon()), absl::OkStatus());
  // The guest does not answer.
  peer_.AnswerWith("device_del", {R"({"return": {}, "id": $ID})"});
  EXPECT_FALSE(devices_.Detach("nic-a", {absl::Now() + absl::Milliseconds(200), nullptr}).ok());
  EXPECT_THAT(peer_.commands(), testing::Not(testing::Contains("netdev_del")));
  EXPECT_EQ(Record().pci_devices_size(), 1);
  EXPECT_EQ(devices_.Detach("nic-a", Soon()), absl::OkStatus());
  EXPECT_THAT(peer_.held(), IsEmpty());
}

TEST_F(QemuNicTest, WhateverQemuRefusesLeavesNothing) {
  for (const char* command : {"getfd", "netdev_add", "device_add"}) {
    peer_.Fail(command, "GenericError", "no such luck");
    const absl::Status failed = devices_.AttachNic(Nic("nic-a", 2, /*vhost=*/true), Soon());
    EXPECT_EQ(failed.code(), absl::StatusCode::kFailedPrecondition) << command;
    EXPECT_THAT(std::string(failed.message()), HasSubstr("nic-a"));
    EXPECT_THAT(std::string(failed.message()), HasSubstr("no such luck"));
    EXPECT_THAT(peer_.held(), IsEmpty()) << command;
    EXPECT_TRUE(AllClosed()) << command;
    EXPECT_EQ(Record().pci_devices_size(), 0);
  }
  EXPECT_EQ(devices_.AttachNic(Nic("nic-a"), Soon()), absl::OkStatus());
  EXPECT_EQ(Record().pci_devices(0).slot(), kFirstFreeSlot);
}

TEST_F(QemuNicTest, RefusesWhatContradictsItself) {
  NicSpec none = Nic("nic-a", 0);
  EXPECT_EQ(devices_.AttachNic(std::move(none), Soon()).code(), absl::StatusCode::kInvalidArgument);
  NicSpec both = Nic("nic-a");
  both.vhost_user_socket = "/run/switch.sock";
  EXPECT_EQ(devices_.AttachNic(std::move(both), Soon()).code(), absl::StatusCode::kInvalidArgument);
  NicSpec uneven = Nic("nic-a", 2, /*vhost=*/true);
  uneven.vhost.pop_back();
  EXPECT_EQ(devices_.AttachNic(std::move(uneven), Soon()).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(peer_.commands(), ElementsAre("qmp_capabilities"));
  EXPECT_TRUE(AllClosed());
}

TEST_F(QemuNicTest, ConnectsToAProgramThatServesTheInterface) {
  TemporaryDirectory directory;
  const absl::StatusOr<UniqueFd> listening = ListenUnix(directory.path(), "switch.sock", 1);
  ASSERT_TRUE(listening.ok()) << listening.status();
  NicSpec nic = Nic("nic-a", 0);
  nic.vhost_user_socket = directory.path() + "/switch.sock";
  ASSERT_EQ(devices_.AttachNic(std::move(nic), Soon()), absl::OkStatus());
  EXPECT_EQ(peer_.received_fds(), 1);
  EXPECT_EQ(peer_.arguments("netdev_add")["type"], "vhost-user");
  EXPECT_EQ(peer_.arguments("netdev_add")["chardev"], peer_.arguments("chardev-add")["id"]);
  EXPECT_EQ(devices_.Detach("nic-a", Soon()), absl::OkStatus());
  EXPECT_THAT(peer_.held(), IsEmpty());

  NicSpec nobody = Nic("nic-a", 0);
  nobody.vhost_user_socket = directory.path() + "/other.sock";
  EXPECT_EQ(devices_.AttachNic(std::move(nobody), Soon()).code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(peer_.held(), IsEmpty());
}

// What an image is to say of it QEMU knows, whoever plugged it in.
TEST_F(QemuNicTest, IsDescribedForAnImageAndRestoredWhereItWas) {
  ASSERT_EQ(devices_.AttachNic(Nic("nic-a"), Soon()), absl::OkStatus());
  ASSERT_EQ(devices_.AttachNic(Nic("nic-b", 3), Soon()), absl::OkStatus());
  const nlohmann::json before = peer_.arguments("device_add");
  peer_.Answer("qom-get", [&](const nlohmann::json& arguments, const std::set<std::string>&) {
    const bool first = arguments["path"] == absl::StrCat("/machine/peripheral/pci-", Slot(0));
    return arguments["property"] == "host_mtu" ? (first ? 1400 : 0) : (first ? 4 : 8);
  });
  const auto nics = devices_.DescribeForImage(Soon());
  ASSERT_TRUE(nics.ok()) << nics.status();
  ASSERT_EQ(nics->size(), 2u);
  EXPECT_EQ((*nics)[0].id, "nic-a");
  EXPECT_EQ((*nics)[0].mac, kMac);
  EXPECT_EQ((*nics)[0].slot, kFirstFreeSlot);
  EXPECT_EQ((*nics)[0].queues, 1u);
  EXPECT_EQ((*nics)[0].mtu, 1400u);
  EXPECT_EQ((*nics)[1].queues, 3u);
  EXPECT_EQ((*nics)[1].mtu, 0u);

  PciSlots slots("q35", 2);
  QemuPciDevices restored(*qmp_, slots);
  const SavedNic& second = (*nics)[1];
  ASSERT_EQ(restored.RestoreNic(second.slot, Nic(second.id, second.queues), Soon()), absl::OkStatus());
  EXPECT_EQ(peer_.arguments("device_add"), before);
  EXPECT_TRUE(AllClosed());
  state::v1::VirtualMachine record;
  restored.WriteTo(&record);
  ASSERT_EQ(record.pci_devices_size(), 1);
  EXPECT_EQ(record.pci_devices(0).SerializeAsString(), Record().pci_devices(1).SerializeAsString());
  EXPECT_EQ(restored.RestoreNic(second.slot, Nic("nic-c"), Soon()).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(*slots.Take("other"), kFirstFreeSlot);
  EXPECT_EQ(restored.Detach("nic-b", Soon()), absl::OkStatus());
}

TEST_F(QemuNicTest, NoImageHoldsWhatIsHalfOfAnotherPrograms) {
  ASSERT_EQ(devices_.AttachNic(Nic("nic-a"), Soon()), absl::OkStatus());
  peer_.Return("query-chardev", {{{"label", absl::StrCat("nic-", Slot(0))}}});
  const absl::Status served = devices_.DescribeForImage(Soon()).status();
  EXPECT_EQ(served.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(served.message()), HasSubstr("nic-a"));
  // Nor what QEMU does not know.
  peer_.Return("qom-get", "none");
  EXPECT_EQ(devices_.DescribeForImage(Soon()).status().code(), absl::StatusCode::kInternal);
  ASSERT_EQ(devices_.AttachHostDevice("gpu", "0000:3b:00.0", Soon()), absl::OkStatus());
  ASSERT_EQ(devices_.Detach("nic-a", Soon()), absl::OkStatus());
  const absl::Status host = devices_.DescribeForImage(Soon()).status();
  EXPECT_EQ(host.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(host.message()), HasSubstr("vfio gpu"));
}

// However far the daemon before came with an interface that it did not record.
TEST_F(QemuNicTest, AdoptionRemovesWhatIsUnfinished) {
  ASSERT_EQ(devices_.AttachNic(Nic("nic-a"), Soon()), absl::OkStatus());
  const std::string begun = absl::StrCat("nic-", Slot(1));
  const auto execute = [&](const std::string& command, const nlohmann::json& arguments) {
    ASSERT_TRUE(qmp_->Execute(command, arguments, Soon()).ok());
  };
  for (int steps = 1; steps <= 4; ++steps) {
    execute("getfd", {{"fdname", begun + "-tap-0"}});
    if (steps > 1) execute("getfd", {{"fdname", begun + "-tap-1"}});
    if (steps > 2) execute("netdev_add", {{"id", begun}, {"fds", absl::StrCat(begun, "-tap-0:", begun, "-tap-1")}});
    nlohmann::json present = {{{"name", absl::StrCat("pci-", Slot(0))}}};
    if (steps > 3) {
      execute("device_add", {{"id", absl::StrCat("pci-", Slot(1))}});
      present.push_back({{"name", absl::StrCat("pci-", Slot(1))}});
    }
    PciSlots slots("q35", 2);
    QemuPciDevices adopted(*qmp_, slots);
    peer_.Return("qom-list", present);
    ASSERT_EQ(adopted.Adopt(Record(), Soon()), absl::OkStatus());
    EXPECT_THAT(peer_.held(),
                UnorderedElementsAre(absl::StrCat("device pci-", Slot(0)), absl::StrCat("netdev nic-", Slot(0))))
        << steps;
    EXPECT_EQ(*slots.Take("other"), kFirstFreeSlot + 1);
  }
}

TEST_F(QemuNicTest, AnAdoptedOneIsTakenAway) {
  ASSERT_EQ(devices_.AttachNic(Nic("nic-a"), Soon()), absl::OkStatus());
  PciSlots slots("q35", 2);
  QemuPciDevices adopted(*qmp_, slots);
  peer_.Return("qom-list", {{{"name", absl::StrCat("pci-", Slot(0))}}});
  ASSERT_EQ(adopted.Adopt(Record(), Soon()), absl::OkStatus());
  EXPECT_EQ(adopted.AttachNic(Nic("nic-a"), Soon()).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(adopted.Detach("nic-a", Soon()), absl::OkStatus());
  EXPECT_THAT(peer_.held(), IsEmpty());
}

}  // namespace
}  // namespace vcd

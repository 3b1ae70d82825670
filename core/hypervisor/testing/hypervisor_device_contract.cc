// SPDX-License-Identifier: Apache-2.0
// What a machine has plugged in while it runs: what hypervisor.h says of disks, network interfaces and vCPUs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/hypervisor/testing/hypervisor_contract.h"
#include "core/netlink/tap_device.h"
#include "core/netns/network_namespace.h"

namespace vcd {

TEST_P(HypervisorContract, KeepsDisksApart) {
  if (!hypervisor_->capabilities().disk_hotplug) GTEST_SKIP() << "no disks";
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  const std::string image = MakeImage("a,b image");
  auto first = machine->AttachDisk({"one", image}, Soon());
  ASSERT_TRUE(first.ok()) << first.status();
  auto second = machine->AttachDisk({"two", image}, Soon());
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_NE(std::make_pair(first->scsi.lun, first->serial), std::make_pair(second->scsi.lun, second->serial));
  EXPECT_EQ(machine->AttachDisk({"one", image}, Soon()).status().code(), absl::StatusCode::kAlreadyExists);
  ASSERT_EQ(machine->Record().block_devices_size(), 2);

  EXPECT_EQ(machine->DetachDisk("one", Soon()), absl::OkStatus());
  EXPECT_EQ(machine->DetachDisk("one", Soon()), absl::OkStatus());
  ASSERT_EQ(machine->Record().block_devices_size(), 1);
  EXPECT_EQ(machine->Record().block_devices(0).id(), "two");
  auto again = machine->AttachDisk({"three", image}, Soon());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->scsi.lun, first->scsi.lun);
}

TEST_P(HypervisorContract, FailedAttachLeavesNothing) {
  if (!hypervisor_->capabilities().disk_hotplug || !GetParam().checks_paths) GTEST_SKIP() << "takes every path";
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  EXPECT_EQ(machine->AttachDisk({"one", root_ + "/none"}, Soon()).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(machine->AttachDisk({"one", root_}, Soon()).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(machine->Record().block_devices_size(), 0);
  EXPECT_TRUE(machine->AttachDisk({"one", MakeImage("image")}, Soon()).ok());
}

TEST_P(HypervisorContract, AdoptUnplugsWhatTheRecordDoesNotName) {
  if (!hypervisor_->capabilities().disk_hotplug) GTEST_SKIP() << "no disks";
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  const std::string image = MakeImage("image");
  ASSERT_TRUE(machine->AttachDisk({"one", image}, Soon()).ok());
  const state::v1::VirtualMachine record = machine->Record();
  ASSERT_TRUE(machine->AttachDisk({"two", image}, Soon()).ok());
  machine.reset();
  RestartDaemon();
  auto adopted = Adopt(record);
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  EXPECT_EQ((*adopted)->Record().SerializeAsString(), record.SerializeAsString());
  EXPECT_TRUE((*adopted)->AttachDisk({"two", image}, Soon()).ok());
  EXPECT_EQ((*adopted)->Stop(StopMode::kForce, Soon()), absl::OkStatus());
}

TEST_P(HypervisorContract, AdoptedOneKeepsItsDisks) {
  if (!hypervisor_->capabilities().disk_hotplug) GTEST_SKIP() << "no disks";
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  const std::string image = MakeImage("image");
  ASSERT_TRUE(machine->AttachDisk({"one", image}, Soon()).ok());
  ASSERT_TRUE(machine->AttachDisk({"two", image}, Soon()).ok());
  const state::v1::VirtualMachine record = machine->Record();
  machine.reset();
  RestartDaemon();
  auto adopted = Adopt(record);
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  EXPECT_EQ((*adopted)->AttachDisk({"two", image}, Soon()).status().code(), absl::StatusCode::kAlreadyExists);
  auto third = (*adopted)->AttachDisk({"three", image}, Soon());
  ASSERT_TRUE(third.ok()) << third.status();
  EXPECT_EQ(third->scsi.lun, 2u);
  EXPECT_EQ((*adopted)->DetachDisk("one", Soon()), absl::OkStatus());
}

TEST_P(HypervisorContract, NicsComeAndGoAlsoAfterARestart) {
  if (!hypervisor_->capabilities().nic_hotplug) GTEST_SKIP() << "no network interfaces";
  const absl::StatusOr<NetworkNamespace> network = NetworkNamespace::Make();
  if (!network.ok()) GTEST_SKIP() << network.status();
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  int taps_made = 0;
  const auto attach = [&](VirtualMachine& to, const std::string& id, const std::string& mac) {
    NicSpec nic;
    nic.id = id;
    nic.mac = mac;
    nic.mtu = 1400;
    auto taps = OpenTapQueues(*network, absl::StrCat("test", taps_made++), /*queues=*/2, /*existing=*/false);
    EXPECT_TRUE(taps.ok()) << taps.status();
    if (taps.ok()) nic.taps = *std::move(taps);
    return to.AttachNic(std::move(nic), Soon());
  };
  ASSERT_EQ(attach(*machine, "nic-a", "02:00:5e:00:53:01"), absl::OkStatus());
  EXPECT_EQ(attach(*machine, "nic-a", "02:00:5e:00:53:02").code(), absl::StatusCode::kAlreadyExists);
  const state::v1::VirtualMachine record = machine->Record();
  ASSERT_EQ(record.pci_devices_size(), 1);
  EXPECT_EQ(record.pci_devices(0).id(), "nic-a");
  EXPECT_EQ(record.pci_devices(0).kind(), "nic");
  EXPECT_EQ(record.pci_devices(0).mac(), "02:00:5e:00:53:01");
  ASSERT_EQ(attach(*machine, "nic-b", "02:00:5e:00:53:02"), absl::OkStatus());

  machine.reset();
  RestartDaemon();
  // A guest that boots may still be at work on the ports: what no record names goes once it listens.
  auto adopted = Adopt(record);
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  EXPECT_EQ((*adopted)->Record().pci_devices_size(), 1);
  ASSERT_EQ(attach(**adopted, "nic-b", "02:00:5e:00:53:02"), absl::OkStatus());
  EXPECT_EQ((*adopted)->DetachNic("nic-a", Soon()), absl::OkStatus());
  EXPECT_EQ((*adopted)->DetachNic("nic-a", Soon()), absl::OkStatus());
  ASSERT_EQ((*adopted)->Record().pci_devices_size(), 1);
  EXPECT_EQ((*adopted)->Record().pci_devices(0).id(), "nic-b");
  EXPECT_EQ((*adopted)->Stop(StopMode::kForce, Soon()), absl::OkStatus());
}

TEST_P(HypervisorContract, VcpusComeAndStayOverARestart) {
  if (!hypervisor_->capabilities().resize) GTEST_SKIP() << "keeps its size";
  v1::HypervisorConfig config = GetParam().config;
  config.set_default_vcpus(1);
  config.set_max_vcpus(3);
  config.set_max_memory_mib(256);
  VmSpec spec = Spec();
  auto resolved = hypervisor_->Resolve(config, CallContext());
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  spec.config = *resolved;
  auto booted = hypervisor_->Boot(spec, Soon());
  ASSERT_TRUE(booted.ok()) << booted.status();
  const uint32_t memory_mib = spec.config.default_memory_mib();
  EXPECT_EQ((*booted)->Record().vcpus(), 1u);
  EXPECT_EQ((*booted)->Record().memory_mib(), memory_mib);
  auto grown = (*booted)->Resize({2, 0}, Soon());
  ASSERT_TRUE(grown.ok()) << grown.status();
  EXPECT_EQ(grown->vcpus, 2u);
  EXPECT_EQ(grown->memory_mib, memory_mib);
  EXPECT_EQ((*booted)->Resize({4, 0}, Soon()).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ((*booted)->Resize({0, 258}, Soon()).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ((*booted)->Resize({1, 0}, Soon())->vcpus, 2u) << "none is unplugged";

  const state::v1::VirtualMachine record = (*booted)->Record();
  booted->reset();
  RestartDaemon();
  auto adopted = hypervisor_->Adopt(spec, record, Soon());
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  EXPECT_EQ((*adopted)->Record().vcpus(), 2u);
  EXPECT_EQ((*adopted)->Resize({3, 0}, Soon())->vcpus, 3u);
}

}  // namespace vcd

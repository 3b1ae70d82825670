// SPDX-License-Identifier: Apache-2.0
// Images of machines: what hypervisor.h says of ImageKey, SaveImage and VmSpec::image_dir.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/hypervisor/testing/hypervisor_contract.h"
#include "core/netlink/tap_device.h"
#include "core/netns/network_namespace.h"

namespace vcd {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;

}  // namespace

void HypervisorImageContract::Save(const std::string& directory, bool shared_memory) {
  VmSpec spec = Spec();
  spec.shared_memory = shared_memory;
  auto machine = hypervisor_->Boot(spec, Soon());
  ASSERT_TRUE(machine.ok()) << machine.status();
  ASSERT_EQ((*machine)->SaveImage(directory, Soon()), absl::OkStatus());
  ASSERT_EQ((*machine)->Stop(StopMode::kForce, Soon()), absl::OkStatus());
}

VmSpec HypervisorImageContract::CloneSpec(const std::string& directory, bool shared_memory) const {
  VmSpec spec = Spec();
  spec.image_dir = directory;
  spec.image_shared = true;
  spec.shared_memory = shared_memory;
  return spec;
}

void HypervisorImageContract::TryClone(const VmSpec& spec) {
  auto machine = hypervisor_->Boot(spec, Soon());
  ASSERT_TRUE(machine.ok()) << machine.status();
  EXPECT_EQ((*machine)->Pause(Soon()), absl::OkStatus());
  EXPECT_EQ((*machine)->Resume(Soon()), absl::OkStatus());
  const state::v1::VirtualMachine record = (*machine)->Record();
  machine->reset();
  RestartDaemon();
  auto adopted = hypervisor_->Adopt(spec, record, Soon());
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  EXPECT_EQ((*adopted)->Stop(StopMode::kForce, Soon()), absl::OkStatus());
  EXPECT_THAT(Running(), IsEmpty());
}

TEST_P(HypervisorImageContract, KeyIsTheMachinesAndNotThePods) {
  const VmSpec spec = Spec();
  const absl::StatusOr<std::string> key = hypervisor_->ImageKey(spec, Soon());
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_THAT(*key, Not(IsEmpty()));
  EXPECT_EQ(key->find_first_not_of("0123456789abcdef"), std::string::npos);
  VmSpec other = spec;
  other.pod_id = "pod-2";
  other.run_dir = MakeDirectory("other");
  other.shared_memory = !spec.shared_memory;
  EXPECT_EQ(*hypervisor_->ImageKey(other, Soon()), *key);
  other.config.set_default_memory_mib(spec.config.default_memory_mib() + 2);
  EXPECT_NE(*hypervisor_->ImageKey(other, Soon()), *key);
}

TEST_P(HypervisorImageContract, MachinesGoOnFromAnImage) {
  const std::string directory = MakeDirectory("image");
  ASSERT_NO_FATAL_FAILURE(Save(directory));
  TryClone(CloneSpec(directory, /*shared_memory=*/false));
  if (hypervisor_->capabilities().directory_sharing) TryClone(CloneSpec(directory, /*shared_memory=*/true));
}

TEST_P(HypervisorImageContract, OneThatIsToStandStillDoes) {
  const std::string directory = MakeDirectory("image");
  ASSERT_NO_FATAL_FAILURE(Save(directory));
  VmSpec spec = CloneSpec(directory, /*shared_memory=*/false);
  spec.paused = true;
  auto machine = hypervisor_->Boot(spec, Soon());
  ASSERT_TRUE(machine.ok()) << machine.status();
  EXPECT_EQ((*machine)->Resume(Soon()), absl::OkStatus());
  EXPECT_EQ((*machine)->Stop(StopMode::kForce, Soon()), absl::OkStatus());
}

TEST_P(HypervisorImageContract, MemoryThatIsNotSharedIsSavedToo) {
  const std::string directory = MakeDirectory("image");
  ASSERT_NO_FATAL_FAILURE(Save(directory, /*shared_memory=*/false));
  TryClone(CloneSpec(directory, /*shared_memory=*/false));
  if (!hypervisor_->capabilities().directory_sharing) return;
  auto machine = hypervisor_->Boot(CloneSpec(directory, /*shared_memory=*/true), Soon());
  EXPECT_EQ(machine.status().code(), absl::StatusCode::kFailedPrecondition) << machine.status();
  EXPECT_THAT(Running(), IsEmpty());
}

TEST_P(HypervisorImageContract, CloneIsSavedToo) {
  const std::string first = MakeDirectory("first"), second = MakeDirectory("second");
  ASSERT_NO_FATAL_FAILURE(Save(first));
  auto machine = hypervisor_->Boot(CloneSpec(first, /*shared_memory=*/false), Soon());
  ASSERT_TRUE(machine.ok()) << machine.status();
  ASSERT_EQ((*machine)->SaveImage(second, Soon()), absl::OkStatus());
  ASSERT_EQ((*machine)->Stop(StopMode::kForce, Soon()), absl::OkStatus());
  TryClone(CloneSpec(second, /*shared_memory=*/false));
}

TEST_P(HypervisorImageContract, SavedMachineGoesOn) {
  for (const bool shared_memory : {true, false}) {
    VmSpec spec = Spec();
    spec.shared_memory = shared_memory;
    auto machine = hypervisor_->Boot(spec, Soon());
    ASSERT_TRUE(machine.ok()) << machine.status();
    const std::string name = shared_memory ? "shared-" : "private-";
    EXPECT_EQ((*machine)->SaveImage(MakeDirectory(name + "1"), Soon()), absl::OkStatus());
    // Not once more while it stands still, but when it has gone on.
    EXPECT_EQ((*machine)->SaveImage(MakeDirectory(name + "2"), Soon()).code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ((*machine)->Resume(Soon()), absl::OkStatus());
    EXPECT_EQ((*machine)->SaveImage(MakeDirectory(name + "3"), Soon()), absl::OkStatus());
    EXPECT_EQ((*machine)->Resume(Soon()), absl::OkStatus());
    // It takes disks, and lets them go where there is a guest that does.
    EXPECT_TRUE((*machine)->AttachDisk({"rootfs", MakeImage("disk.img"), false}, Soon()).ok());
    EXPECT_EQ((*machine)->Stop(StopMode::kForce, Soon()), absl::OkStatus());
  }
}

TEST_P(HypervisorImageContract, DisksAreWhereTheyWere) {
  VmSpec spec = Spec();
  auto machine = hypervisor_->Boot(spec, Soon());
  ASSERT_TRUE(machine.ok()) << machine.status();
  for (const char* id : {"rootfs-0", "rootfs-1"}) {
    ASSERT_TRUE((*machine)->AttachDisk({id, MakeImage(std::string(id) + ".img"), false}, Soon()).ok());
  }
  const std::string directory = MakeDirectory("image");
  ASSERT_EQ((*machine)->SaveImage(directory, Soon()), absl::OkStatus());
  const state::v1::VirtualMachine before = (*machine)->Record();
  ASSERT_EQ((*machine)->Stop(StopMode::kForce, Soon()), absl::OkStatus());

  VmSpec clone = CloneSpec(directory, /*shared_memory=*/false);
  const auto without = hypervisor_->Boot(clone, Soon());
  EXPECT_EQ(without.status().code(), absl::StatusCode::kFailedPrecondition) << without.status();
  EXPECT_THAT(Running(), IsEmpty());
  clone.image_disks = {before.block_devices().begin(), before.block_devices().end()};
  machine = hypervisor_->Boot(clone, Soon());
  ASSERT_TRUE(machine.ok()) << machine.status();
  const state::v1::VirtualMachine after = (*machine)->Record();
  ASSERT_EQ(after.block_devices_size(), 2);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(after.block_devices(i).SerializeAsString(), before.block_devices(i).SerializeAsString());
  }
  EXPECT_EQ((*machine)->AttachDisk({"rootfs-1", MakeImage("other.img"), false}, Soon()).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE((*machine)->AttachDisk({"rootfs-2", MakeImage("more.img"), false}, Soon()).ok());
  EXPECT_EQ((*machine)->Stop(StopMode::kForce, Soon()), absl::OkStatus());
}

TEST_P(HypervisorImageContract, InterfacesComeAlongAndAreTakenAway) {
  if (!hypervisor_->capabilities().nic_hotplug) GTEST_SKIP() << "no network interfaces";
  const absl::StatusOr<NetworkNamespace> network = NetworkNamespace::Make();
  if (!network.ok()) GTEST_SKIP() << network.status();
  auto machine = hypervisor_->Boot(Spec(), Soon());
  ASSERT_TRUE(machine.ok()) << machine.status();
  for (const uint32_t queues : {1, 2}) {
    NicSpec nic;
    nic.id = absl::StrCat("nic-", queues);
    nic.mac = absl::StrCat("02:00:5e:00:53:0", queues);
    nic.mtu = queues == 1 ? 1400 : 0;
    auto taps = OpenTapQueues(*network, absl::StrCat("test", queues), queues, /*existing=*/false);
    ASSERT_TRUE(taps.ok()) << taps.status();
    nic.taps = *std::move(taps);
    ASSERT_EQ((*machine)->AttachNic(std::move(nic), Soon()), absl::OkStatus());
  }
  const state::v1::VirtualMachine before = (*machine)->Record();
  const std::string directory = MakeDirectory("image");
  ASSERT_EQ((*machine)->SaveImage(directory, Soon()), absl::OkStatus());
  ASSERT_EQ((*machine)->Stop(StopMode::kForce, Soon()), absl::OkStatus());

  machine = hypervisor_->Boot(CloneSpec(directory, /*shared_memory=*/false), Soon());
  ASSERT_TRUE(machine.ok()) << machine.status();
  const state::v1::VirtualMachine after = (*machine)->Record();
  ASSERT_EQ(after.pci_devices_size(), 2);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(after.pci_devices(i).SerializeAsString(), before.pci_devices(i).SerializeAsString());
  }
  for (const state::v1::PciDevice& nic : after.pci_devices()) {
    EXPECT_EQ((*machine)->DetachNic(nic.id(), Soon()), absl::OkStatus());
  }
  EXPECT_EQ((*machine)->Record().pci_devices_size(), 0);
  EXPECT_EQ((*machine)->Stop(StopMode::kForce, Soon()), absl::OkStatus());
}

TEST_P(HypervisorImageContract, DamagedImageIsRefused) {
  int files = 0;
  std::vector<std::filesystem::path> paths;
  for (const bool shared_memory : {true, false}) {
    const std::string whole = MakeDirectory(shared_memory ? "whole-shared" : "whole-private");
    ASSERT_NO_FATAL_FAILURE(Save(whole, shared_memory));
    for (const auto& file : std::filesystem::directory_iterator(whole)) paths.push_back(file.path());
  }
  for (const std::filesystem::path& file : paths) {
    const std::filesystem::path whole = file.parent_path();
    const std::filesystem::path directory = MakeDirectory("damaged-" + std::to_string(files++));
    for (const auto& copied : std::filesystem::directory_iterator(whole)) {
      std::filesystem::copy(copied.path(), directory / copied.path().filename());
    }
    // One byte in the middle is another.
    std::fstream damaged(directory / file.filename(), std::ios::in | std::ios::out | std::ios::binary);
    const auto middle = static_cast<std::streamoff>(std::filesystem::file_size(file) / 2);
    damaged.seekg(middle);
    const int byte = damaged.get();
    damaged.seekp(middle);
    damaged.put(static_cast<char>(byte ^ 0x55));
    damaged.close();
    auto machine = hypervisor_->Boot(CloneSpec(directory, /*shared_memory=*/false), Soon());
    EXPECT_EQ(machine.status().code(), absl::StatusCode::kDataLoss) << file << ": " << machine.status();
    EXPECT_THAT(Running(), IsEmpty());
    EXPECT_THAT(FilesInRunDir(), IsEmpty());
  }
  EXPECT_GT(files, 0);
  auto none = hypervisor_->Boot(CloneSpec(MakeDirectory("empty"), /*shared_memory=*/false), Soon());
  EXPECT_EQ(none.status().code(), absl::StatusCode::kDataLoss) << none.status();
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(HypervisorImageContract);

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
// Images of machines: what hypervisor.h says of ImageKey, SaveImage and VmSpec::image_dir.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/hypervisor/testing/hypervisor_contract.h"

namespace vcd {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;

}  // namespace

void HypervisorImageContract::Save(const std::string& directory) {
  VmSpec spec = Spec();
  spec.shared_memory = true;
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

TEST_P(HypervisorImageContract, MachineWithoutSharedMemoryIsNotSaved) {
  VmSpec spec = Spec();
  spec.shared_memory = false;
  auto machine = hypervisor_->Boot(spec, Soon());
  ASSERT_TRUE(machine.ok()) << machine.status();
  EXPECT_EQ((*machine)->SaveImage(MakeDirectory("image"), Soon()).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ((*machine)->Stop(StopMode::kForce, Soon()), absl::OkStatus());
}

TEST_P(HypervisorImageContract, DamagedImageIsRefused) {
  const std::string whole = MakeDirectory("whole");
  ASSERT_NO_FATAL_FAILURE(Save(whole));
  int files = 0;
  for (const auto& file : std::filesystem::directory_iterator(whole)) {
    const std::filesystem::path directory = MakeDirectory("damaged-" + std::to_string(files++));
    for (const auto& copied : std::filesystem::directory_iterator(whole)) {
      std::filesystem::copy(copied.path(), directory / copied.path().filename());
    }
    // One byte in the middle is another.
    std::fstream damaged(directory / file.path().filename(), std::ios::in | std::ios::out | std::ios::binary);
    const auto middle = static_cast<std::streamoff>(std::filesystem::file_size(file.path()) / 2);
    damaged.seekg(middle);
    const int byte = damaged.get();
    damaged.seekp(middle);
    damaged.put(static_cast<char>(byte ^ 0x55));
    damaged.close();
    auto machine = hypervisor_->Boot(CloneSpec(directory, /*shared_memory=*/false), Soon());
    EXPECT_EQ(machine.status().code(), absl::StatusCode::kDataLoss) << file.path() << ": " << machine.status();
    EXPECT_THAT(Running(), IsEmpty());
    EXPECT_THAT(FilesInRunDir(), IsEmpty());
  }
  EXPECT_GT(files, 0);
  auto none = hypervisor_->Boot(CloneSpec(MakeDirectory("empty"), /*shared_memory=*/false), Soon());
  EXPECT_EQ(none.status().code(), absl::StatusCode::kDataLoss) << none.status();
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(HypervisorImageContract);

}  // namespace vcd

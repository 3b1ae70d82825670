// SPDX-License-Identifier: Apache-2.0
// Directories and files that guests see: what hypervisor.h says of ShareDirectory and UnshareDirectory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/hypervisor/testing/hypervisor_contract.h"

namespace vcd {

using ::testing::IsEmpty;

TEST_P(HypervisorContract, SharesDirectories) {
  if (!hypervisor_->capabilities().directory_sharing) GTEST_SKIP() << "no directories";
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  const std::string directory = MakeDirectory("a,b\\c directory");
  const absl::StatusOr<SharedPath> shared = machine->ShareDirectory({"data", directory}, Soon());
  ASSERT_TRUE(shared.ok()) << shared.status();
  EXPECT_EQ(machine->ShareDirectory({"data", directory}, Soon()).status().code(), absl::StatusCode::kAlreadyExists);
  const absl::StatusOr<SharedPath> more = machine->ShareDirectory({"more", directory}, Soon());
  ASSERT_TRUE(more.ok()) << more.status();
  EXPECT_NE(std::make_pair(shared->tag, shared->name), std::make_pair(more->tag, more->name));
  ASSERT_EQ(machine->Record().shared_directories_size(), 2);
  if (GetParam().checks_paths) {
    EXPECT_EQ(machine->ShareDirectory({"x", root_ + "/none"}, Soon()).status().code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(machine->ShareDirectory({"x", "/dev/null"}, Soon()).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(machine->Record().shared_directories_size(), 2);
  }

  const state::v1::VirtualMachine record = machine->Record();
  machine.reset();
  RestartDaemon();
  auto adopted = Adopt(record);
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  EXPECT_EQ((*adopted)->Record().SerializeAsString(), record.SerializeAsString());
  if (GetParam().guest_runs) {
    const absl::Status unshared = (*adopted)->UnshareDirectory("data", Soon());
    EXPECT_EQ(unshared, absl::OkStatus());
    EXPECT_EQ((*adopted)->Record().shared_directories_size(), 1);
  }
  EXPECT_EQ((*adopted)->UnshareDirectory("never", Soon()), absl::OkStatus());
  EXPECT_EQ((*adopted)->Stop(StopMode::kOrderly, Soon()), absl::OkStatus());
  EXPECT_THAT(Running(), IsEmpty());
}

TEST_P(HypervisorContract, SharesFilesAndManyOfThem) {
  if (!hypervisor_->capabilities().directory_sharing) GTEST_SKIP() << "no directories";
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  const std::string file = MakeImage("file");
  const size_t helpers_before = Running().size();
  size_t helpers = 0;
  std::set<std::pair<std::string, std::string>> places;
  for (int i = 0; i < 20; ++i) {
    const auto shared = machine->ShareDirectory({absl::StrCat("f-", i), file, /*readonly=*/i % 2 == 1}, Soon());
    ASSERT_TRUE(shared.ok()) << shared.status();
    places.emplace(shared->tag, shared->name);
    if (i == 0) helpers = Running().size();
  }
  EXPECT_EQ(places.size(), 20u);
  EXPECT_EQ(Running().size(), helpers) << "there were " << helpers_before << " before the first";
  const state::v1::VirtualMachine record = machine->Record();
  ASSERT_EQ(record.shared_directories_size(), 20);
  for (const state::v1::SharedDirectory& shared : record.shared_directories()) {
    EXPECT_EQ(shared.readonly(), (shared.tag().back() - '0') % 2 == 1) << shared.tag();
    EXPECT_EQ(shared.host_path(), file);
  }
  EXPECT_EQ(machine->Stop(StopMode::kOrderly, Soon()), absl::OkStatus());
  EXPECT_THAT(Running(), IsEmpty());
}

TEST_P(HypervisorContract, SharesComeAndGoAlsoAfterARestart) {
  if (!hypervisor_->capabilities().directory_sharing) GTEST_SKIP() << "no directories";
  auto machine = Boot();
  ASSERT_NE(machine, nullptr);
  const std::string directory = MakeDirectory("directory");
  ASSERT_TRUE(machine->ShareDirectory({"kept", directory}, Soon()).ok());
  for (int i = 0; i < 50; ++i) {
    const auto shared = machine->ShareDirectory({"data", directory}, Soon());
    ASSERT_TRUE(shared.ok()) << i << " " << shared.status();
    if (i == 25) {
      const state::v1::VirtualMachine record = machine->Record();
      machine.reset();
      RestartDaemon();
      auto adopted = Adopt(record);
      ASSERT_TRUE(adopted.ok()) << adopted.status();
      machine = *std::move(adopted);
    }
    ASSERT_EQ(machine->UnshareDirectory("data", Soon()), absl::OkStatus()) << i;
  }
  ASSERT_EQ(machine->Record().shared_directories_size(), 1);
  EXPECT_EQ(machine->Record().shared_directories(0).tag(), "kept");
  EXPECT_EQ(machine->Stop(StopMode::kForce, Soon()), absl::OkStatus());
  EXPECT_THAT(Running(), IsEmpty());
}

}  // namespace vcd

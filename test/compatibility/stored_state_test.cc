// SPDX-License-Identifier: Apache-2.0
// Records as every release wrote them, read by this one. A folder is never changed once its release is out.
#include <filesystem>
#include <string>

#include "core/os/posix_filesystem.h"
#include "core/os/testing/temporary_directory.h"
#include "core/state/state_migration.h"
#include "core/state/state_store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

class StoredStateTest : public testing::Test {
 protected:
  // Puts a stored pod where a daemon looks for it.
  void Lay(const std::string& fixture) {
    ASSERT_TRUE(store_.CreateRoots().ok());
    ASSERT_TRUE(store_.CreatePodDirectories("web").ok());
    const std::filesystem::path from = std::filesystem::path("test/compatibility") / fixture;
    const auto overwrite = std::filesystem::copy_options::overwrite_existing;
    std::filesystem::copy_file(from / "config.json", store_.layout().ConfigFile("web"), overwrite);
    std::filesystem::copy_file(from / "state.json", store_.layout().StateFile("web"), overwrite);
  }

  TemporaryDirectory directory_;
  PosixFilesystem filesystem_;
  StateStore store_{filesystem_, directory_.path() + "/lib", directory_.path() + "/run"};
};

TEST_F(StoredStateTest, AFormatOnePodThatRanIsAsItWas) {
  Lay("format_1/running");
  const absl::StatusOr<v1::PodConfig> config = store_.LoadConfig("web");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->hypervisor_config().kernel_path(), "/usr/lib/vcd/vmlinux");
  EXPECT_EQ(config->containers(0).rootfs().image().fs_type(), "erofs");
  EXPECT_EQ(config->annotations().at("org.example.owner"), "anna");
  const absl::StatusOr<state::v1::PodRecord> record = store_.LoadRecord("web");
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->state(), v1::POD_STATE_RUNNING);
  EXPECT_FALSE(record->has_under_way());
  EXPECT_EQ(record->vm().process().pid(), 4711);
  EXPECT_EQ(record->vm().process().start_time_ticks(), 123456789u);
  EXPECT_EQ(record->containers(0).guest_pid(), 87);
  EXPECT_EQ(record->containers(0).started_at().nanos(), 500000000);
  EXPECT_EQ(record->format_version(), static_cast<uint32_t>(kStateFormatVersion));
}

TEST_F(StoredStateTest, AFormatOneStopIsStillUnderWay) {
  Lay("format_1/stopping");
  const absl::StatusOr<state::v1::PodRecord> record = store_.LoadRecord("web");
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->under_way().intent(), state::v1::INTENT_STOP);
}

TEST_F(StoredStateTest, WhatIsWrittenBackIsOfTheCurrentFormatAndReadAgain) {
  Lay("format_1/stopping");
  const absl::StatusOr<state::v1::PodRecord> record = store_.LoadRecord("web");
  ASSERT_TRUE(record.ok()) << record.status();
  ASSERT_TRUE(store_.SaveRecord(*record).ok());
  const absl::StatusOr<std::string> json = filesystem_.ReadFile(store_.layout().StateFile("web"));
  EXPECT_THAT(*json, testing::HasSubstr("\"format_version\": 2"));
  EXPECT_EQ(store_.LoadRecord("web")->SerializeAsString(), record->SerializeAsString());
}

}  // namespace
}  // namespace vcd

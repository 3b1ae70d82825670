// SPDX-License-Identifier: Apache-2.0
#include "core/pod/checkpoint_consistency.h"

#include <functional>
#include <string>
#include <vector>

#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Of a pod with a container that writes to one disk and reads another, as vcd writes it.
class CheckpointConsistencyTest : public testing::Test {
 protected:
  CheckpointConsistencyTest() {
    v1::PodConfig& config = good_.config;
    config.set_id("web");
    config.mutable_hypervisor_config()->set_default_vcpus(2);
    config.mutable_hypervisor_config()->set_default_memory_mib(256);
    config.mutable_hypervisor_config()->set_machine_type("q35");
    v1::ContainerConfig& main = *config.add_containers();
    main.set_id("main");
    main.mutable_rootfs()->mutable_block()->set_path("/images/written");
    v1::Mount& data = *main.add_mounts();
    data.set_type("ext4");
    data.set_source("/images/read");
    data.set_destination("/data");
    data.add_options("ro");
    v1::ContainerConfig& side = *config.add_containers();
    side.set_id("side");
    side.mutable_rootfs()->mutable_image()->set_path("/images/read");

    state::v1::PodRecord& record = good_.record;
    record.set_pod_id("web");
    record.set_state(v1::POD_STATE_RUNNING);
    record.mutable_vm()->set_vcpus(2);
    record.mutable_vm()->set_memory_mib(256);
    record.mutable_vm()->set_machine_type("q35");
    AddDisk("rootfs-0", "/images/written", 0, true);
    AddDisk("mount-1", "/images/read", 1, false);
    AddDisk("rootfs-2", "/images/read", 2, false);
    AddContainer("main", "rootfs-0", 101).add_disk_ids("mount-1");
    AddContainer("side", "rootfs-2", 102);
    good_.manifest.pod_id = "web";
    good_.manifest.files = {{"disks/rootfs-0", 1, "00"}};
    good_.manifest.disks = {{"/images/read", 1, "00"}};
  }

  void AddDisk(const std::string& id, const std::string& path, uint32_t lun, bool writable) {
    state::v1::BlockDevice& disk = *good_.record.mutable_vm()->add_block_devices();
    disk.set_id(id);
    disk.set_path(path);
    disk.set_lun(lun);
    disk.set_writable(writable);
  }
  state::v1::ContainerRecord& AddContainer(const std::string& id, const std::string& disk, int32_t pid) {
    state::v1::ContainerRecord& container = *good_.record.add_containers();
    container.set_id(id);
    container.set_state(v1::CONTAINER_STATE_RUNNING);
    container.set_disk_id(disk);
    container.set_guest_pid(pid);
    return container;
  }

  Checkpoint Copy() const {
    Checkpoint copy;
    copy.manifest = good_.manifest;
    copy.config = good_.config;
    copy.record = good_.record;
    return copy;
  }

  Checkpoint good_;
};

using Config = v1::PodConfig;
using Record = state::v1::PodRecord;

TEST_F(CheckpointConsistencyTest, WhatVcdWritesIsGood) {
  EXPECT_EQ(CheckConsistent(good_, "/out"), absl::OkStatus());
  EXPECT_EQ(CheckRecordedMachine(good_, "/out", good_.config), absl::OkStatus());
  // A container that has ended by itself has its disks still, and one that was stopped has none.
  state::v1::ContainerRecord& side = *good_.record.mutable_containers(1);
  side.set_state(v1::CONTAINER_STATE_STOPPED);
  side.set_guest_pid(0);
  side.mutable_finished_at()->set_seconds(1);
  EXPECT_EQ(CheckConsistent(good_, "/out"), absl::OkStatus());
  side.clear_disk_id();
  good_.record.mutable_vm()->mutable_block_devices()->RemoveLast();
  EXPECT_EQ(CheckConsistent(good_, "/out"), absl::OkStatus());
}

TEST_F(CheckpointConsistencyTest, OtherConfigurationsAreRefused) {
  for (const auto& [what, change] : std::vector<std::pair<std::string, std::function<void(Config&)>>>{
           {"container side share files",
            [](Config& config) { config.mutable_containers(1)->mutable_rootfs()->mutable_directory()->set_path("/"); }},
           {"container main share files",
            [](Config& config) {
              v1::Mount& bind = *config.mutable_containers(0)->add_mounts();
              bind.set_type("bind");
              bind.set_source("/etc");
              bind.set_destination("/etc");
            }},
           {"volumes", [](Config& config) { config.add_volumes()->set_host_path("/etc"); }},
           {"hooks", [](Config& config) { config.mutable_hooks()->add_poststop()->set_path("/bin/true"); }},
           {"by a process", [](Config& config) { config.mutable_network_config()->set_netns_pid(1); }},
       }) {
    Checkpoint edited = Copy();
    change(edited.config);
    const absl::Status status = CheckConsistent(edited, "/out");
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << what;
    EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_CHECKPOINT_UNFIT) << what;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("/out: pod.json: "), HasSubstr(what)));
  }
}

TEST_F(CheckpointConsistencyTest, OtherRecordsAreRefused) {
  const auto disk = [](Record& record, int i) { return record.mutable_vm()->mutable_block_devices(i); };
  for (const auto& [what, change] : std::vector<std::pair<std::string, std::function<void(Record&)>>>{
           {"place 1", [&](Record& record) { disk(record, 2)->set_lun(1); }},
           {"LUN 256", [&](Record& record) { disk(record, 2)->set_lun(256); }},
           {"another kind", [&](Record& record) { disk(record, 0)->set_driver("virtio-blk"); }},
           {"../../../etc/x\" is no id", [&](Record& record) { disk(record, 0)->set_id("../../../etc/x"); }},
           {"\"\" is no id", [&](Record& record) { disk(record, 0)->set_id(""); }},
           {"is no id", [&](Record& record) { disk(record, 0)->set_id("rootfs-0123456789"); }},
           {"disk mount-1 twice", [&](Record& record) { disk(record, 2)->set_id("mount-1"); }},
           {"no absolute path", [&](Record& record) { disk(record, 1)->set_path("read"); }},
           {"is the same as another", [&](Record& record) { disk(record, 1)->set_path("/images/written"); }},
           {"none of those in manifest.json", [&](Record& record) { disk(record, 1)->set_path("/etc/shadow"); }},
           {"none of those in manifest.json",
            [&](Record& record) { disk(record, 2)->set_writable(true), disk(record, 2)->set_path("/images/third"); }},
           {"without a machine", [](Record& record) { record.set_state(v1::POD_STATE_STOPPED); }},
           {"no checkpoint holds", [](Record& record) { record.mutable_vm()->add_shared_directories(); }},
           {"no checkpoint holds", [](Record& record) { record.mutable_vm()->add_pci_devices(); }},
           {"main has process 0", [](Record& record) { record.mutable_containers(0)->set_guest_pid(0); }},
           {"main has process 1 ", [](Record& record) { record.mutable_containers(0)->set_guest_pid(1); }},
           {"main has process -7", [](Record& record) { record.mutable_containers(0)->set_guest_pid(-7); }},
           {"process 2147483647", [](Record& record) { record.mutable_containers(0)->set_guest_pid(2147483647); }},
           {"side has process 101", [](Record& record) { record.mutable_containers(1)->set_guest_pid(101); }},
           {"has ended, and lives",
            [](Record& record) { record.mutable_containers(0)->set_state(v1::CONTAINER_STATE_STOPPED); }},
           {"lives, and has ended", [](Record& record) { record.mutable_containers(0)->mutable_exit_status(); }},
           {"in a state",
            [](Record& record) { record.mutable_containers(0)->set_state(v1::CONTAINER_STATE_CREATING); }},
           {"in a state", [](Record& record) { record.mutable_containers(0)->set_removing(true); }},
           {"main has no disk rootfs-9", [](Record& record) { record.mutable_containers(0)->set_disk_id("rootfs-9"); }},
           {"side has no disk mount-1", [](Record& record) { record.mutable_containers(1)->set_disk_id("mount-1"); }},
           {"none of those in pod.json", [](Record& record) { record.mutable_containers(1)->set_id("main"); }},
           {"not tell of all containers", [](Record& record) { record.mutable_containers()->RemoveLast(); }},
       }) {
    Checkpoint edited = Copy();
    change(edited.record);
    const absl::Status status = CheckConsistent(edited, "/out");
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << what;
    if (status.ok()) continue;
    EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_CHECKPOINT_UNFIT) << what;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("/out: record.json: "), HasSubstr(what)));
  }
}

TEST_F(CheckpointConsistencyTest, AnotherMachineThanTheConfigurationsIsRefused) {
  for (const auto& [what, change] : std::vector<std::pair<std::string, std::function<void(Record&)>>>{
           {"8 vCPUs", [](Record& record) { record.mutable_vm()->set_vcpus(8); }},
           {"512 MiB", [](Record& record) { record.mutable_vm()->set_memory_mib(512); }},
           {"\"pc\"", [](Record& record) { record.mutable_vm()->set_machine_type("pc"); }},
       }) {
    Checkpoint edited = Copy();
    change(edited.record);
    const absl::Status status = CheckRecordedMachine(edited, "/out", edited.config);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << what;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("record.json: "), HasSubstr(what)));
  }
}

}  // namespace
}  // namespace vcd

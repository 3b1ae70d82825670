// SPDX-License-Identifier: Apache-2.0
// Restores that are refused, repeated, or fail.
#include <array>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/pod/testing/checkpoint_fixture.h"

namespace vcd {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(PodCheckpointTest, UnfitCheckpointsAreRefusedBeforeAnythingIsMade) {
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  ASSERT_TRUE(Checkpoint("web", Out("one")).ok());
  const size_t boots = hypervisor().calls().size();
  const auto refused = [&](absl::StatusCode code, const std::string& why) {
    const absl::Status status = Restore(Out("one"), "two").status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_CHECKPOINT_UNFIT) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(why));
    EXPECT_FALSE(runtime_->GetPod("two").ok());
  };
  // Another image under the name of the pod's.
  MakeExt4("root.img", 'x');
  refused(absl::StatusCode::kFailedPrecondition, "root.img holds something else");
  // Which is not read to its end, if it is as large as no disk.
  fs::resize_file(root_ + "/root.img", uint64_t{1} << 40);
  refused(absl::StatusCode::kFailedPrecondition, "root.img holds something else");
  fs::remove(root_ + "/root.img");
  EXPECT_FALSE(Restore(Out("one"), "two").ok());
  MakeExt4("root.img", 'r');
  // Another kernel than the checkpoint's.
  const std::string manifest = filesystem_.ReadFile(Out("one") + "/manifest.json").value();
  std::string other = manifest.substr(0, manifest.rfind(",\n \"checksum\"")) + "\n}\n";
  const size_t key = other.find("\"image_key\": \"") + 14;
  other.replace(key, 4, "0000");
  ASSERT_TRUE(filesystem_.WriteFile(Out("one") + "/manifest.json", other).ok());
  refused(absl::StatusCode::kFailedPrecondition, "another machine");
  ASSERT_TRUE(filesystem_.WriteFile(Out("one") + "/manifest.json", manifest).ok());
  fs::resize_file(Out("one") + "/image/fake-image", 3);
  refused(absl::StatusCode::kDataLoss, "image/fake-image");
  fs::remove(Out("one") + "/manifest.json");
  refused(absl::StatusCode::kFailedPrecondition, "manifest.json");
  EXPECT_EQ(Restore(Out("none"), "two").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(Restore("relative", "two").status()), v1::ERROR_REASON_INVALID_FIELD);
  EXPECT_EQ(ReasonOf(Restore(Out("one"), "../two").status()), v1::ERROR_REASON_INVALID_FIELD);
  for (size_t call = boots; call < hypervisor().calls().size(); ++call) {
    EXPECT_EQ(hypervisor().calls()[call].find("Boot"), std::string::npos);
  }
}

// By somebody who has the manifest agree with it.
TEST_F(PodCheckpointTest, EditedCheckpointsAreRefusedBeforeAnythingIsMade) {
  ASSERT_TRUE(Run(DiskConfig("web")).ok());
  int number = 0;
  for (const auto& [file, from, to, why] : std::vector<std::array<std::string, 4>>{
           {"record.json", "\"lun\": 1", "\"lun\": 0", "place 0"},
           {"record.json", "\"id\": \"rootfs-0\"", "\"id\": \"../../outside\"", "no id of a disk"},
           {"record.json", "\"vcpus\": 1", "\"vcpus\": 7", "7 vCPUs"},
           {"record.json", "\"guest_pid\": 1", "\"guest_pid\": -1", "has process -1"},
           {"record.json", "CONTAINER_STATE_RUNNING", "CONTAINER_STATE_STOPPED", "has ended, and lives"},
           {"pod.json", "\"type\": \"ext4\"", "\"type\": \"bind\"", "container main share files"},
           {"pod.json", "\"hypervisor\": \"fake\"", "\"hypervisor\": \"other\"", "config.hypervisor"},
       }) {
    const std::string directory = Out(std::to_string(++number)), manifest = directory + "/manifest.json";
    ASSERT_TRUE(Checkpoint("web", directory).ok());
    const std::string path = directory + "/" + file;
    const std::string size = std::to_string(fs::file_size(path)), digest = Sha256(path);
    ASSERT_NO_FATAL_FAILURE(Edit(path, from, to));
    ASSERT_NO_FATAL_FAILURE(Edit(manifest, digest, Sha256(path)));
    ASSERT_NO_FATAL_FAILURE(Edit(manifest, "\"bytes\": " + size, "\"bytes\": " + std::to_string(fs::file_size(path))));
    const absl::Status status = Restore(directory, "two").status();
    EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_CHECKPOINT_UNFIT) << status;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(file), HasSubstr(why)));
    EXPECT_FALSE(runtime_->GetPod("two").ok());
    EXPECT_FALSE(fs::exists(root_ + "/state/pods/two"));
    EXPECT_FALSE(fs::exists(root_ + "/outside"));
  }
  EXPECT_THAT(hypervisor().live_machines(), ElementsAre("web"));
}

TEST_F(PodCheckpointTest, TakenIdIsRefused) {
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  ASSERT_TRUE(Checkpoint("web", Out("one")).ok());
  EXPECT_EQ(ReasonOf(Restore(Out("one")).status()), v1::ERROR_REASON_POD_EXISTS);
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_RUNNING);
}

TEST_F(PodCheckpointTest, RequestsAreNotDoneTwice) {
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  ASSERT_TRUE(Checkpoint("web", Out("one"), false, "c1").ok());
  ASSERT_TRUE(Checkpoint("web", Out("one"), false, "c1").ok());
  EXPECT_EQ(ReasonOf(Checkpoint("web", Out("two"), false, "c1").status()), v1::ERROR_REASON_REQUEST_ID_REUSED);
  ASSERT_TRUE(RestoreWithGuest(Out("one"), "web", "two", "r1").ok());
  const auto again = Restore(Out("one"), "two", "r1");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->id(), "two");
  Restart();
  EXPECT_TRUE(Restore(Out("one"), "two", "r1").ok());
  EXPECT_EQ(ReasonOf(Restore(Out("one"), "two", "r2").status()), v1::ERROR_REASON_POD_EXISTS);
}

TEST_F(PodCheckpointTest, NothingIsLeftOfARestoreThatFails) {
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  ASSERT_TRUE(Checkpoint("web", Out("one")).ok());
  const std::vector<std::function<void()>> faults = {
      [&] { network().FailOpen(absl::UnavailableError("no")); },
      [&] { network().FailAttach(absl::UnavailableError("no")); },
      [&] { hypervisor().FailNth("Boot", 1, absl::FailedPreconditionError("no")); },
      [&] { agent().FailNth("Connect", 1, absl::UnavailableError("no")); },
  };
  for (const auto& fault : faults) {
    fault();
    EXPECT_FALSE(Restore(Out("one"), "two").ok());
    EXPECT_FALSE(runtime_->GetPod("two").ok());
    EXPECT_THAT(hypervisor().live_machines(), ElementsAre("web"));
    EXPECT_THAT(network().attached(), ElementsAre("web"));
    EXPECT_FALSE(fs::exists(options_.state_dir + "/pods/two"));
    EXPECT_FALSE(fs::exists(options_.run_dir + "/pods/two"));
  }
  // Its disk is claimed by nobody.
  EXPECT_TRUE(RestoreWithGuest(Out("one"), "web", "two").ok());
}

TEST_F(PodCheckpointTest, DaemonThatEndsWhileItRestoresLeavesNothing) {
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  ASSERT_TRUE(Checkpoint("web", Out("one")).ok());
  agent().HangNth("Connect", 1);
  Completion<v1::Pod> restored;
  runtime_->RestorePod(Out("one"), "two", Soon(), [&](auto result) { restored.Set(std::move(result)); });
  ASSERT_TRUE(agent().WaitUntilHanging("Connect"));
  Restart();
  EXPECT_FALSE(runtime_->GetPod("two").ok());
  EXPECT_THAT(hypervisor().live_machines(), ElementsAre("web"));
}

}  // namespace
}  // namespace vcd

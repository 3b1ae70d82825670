// SPDX-License-Identifier: Apache-2.0
// Checkpoints that fail at each step, and daemons that end in between.
#include <filesystem>
#include <fstream>
#include <string>

#include "core/pod/testing/checkpoint_fixture.h"

namespace vcd {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(PodCheckpointTest, PodGoesOnAfterAFailureOfAnyStep) {
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  hypervisor().FailNth("SaveImage", 1, absl::FailedPreconditionError("a device cannot be saved"));
  const absl::Status saved = Checkpoint("web", Out("one")).status();
  EXPECT_THAT(std::string(saved.message()), HasSubstr("a device cannot be saved"));
  ExpectGoesOn("web");
  hypervisor().FailNth("Resume", 1, absl::UnavailableError("not now"));
  EXPECT_FALSE(Checkpoint("web", Out("one")).ok());
  ExpectGoesOn("web");
  agent().FailNth("Connect", 1, absl::UnavailableError("not now"));
  EXPECT_FALSE(Checkpoint("web", Out("one")).ok());
  ExpectGoesOn("web");
  // A disk that went away is found after the machine went on.
  fs::rename(root_ + "/root.img", root_ + "/away.img");
  EXPECT_FALSE(Checkpoint("web", Out("one")).ok());
  fs::rename(root_ + "/away.img", root_ + "/root.img");
  ExpectGoesOn("web");
  EXPECT_TRUE(Checkpoint("web", Out("one")).ok());
}

TEST_F(PodCheckpointTest, GuestThatDoesNotComeBackIsLost) {
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  auto events = Events();
  // Each counts from when the one before has happened.
  agent().FailNth("Connect", 1, absl::UnavailableError("silent"));
  agent().FailNth("Connect", 1, absl::UnavailableError("silent"));
  EXPECT_FALSE(Checkpoint("web", Out("one")).ok());
  EXPECT_THAT(AwaitEvent(*events, v1::EVENT_TYPE_POD_FAILED).reason(), HasSubstr("silent"));
  EXPECT_THAT(Outs(), IsEmpty());
  EXPECT_TRUE(Delete("web").ok());
  ExpectNothingLeft();
}

TEST_F(PodCheckpointTest, ForceComesFirst) {
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  hypervisor().HangNth("SaveImage", 1);
  Completion<CheckpointedPod> checkpointed;
  runtime_->CheckpointPod("web", Out("one"), false, Soon(), [&](auto result) { checkpointed.Set(std::move(result)); });
  ASSERT_TRUE(hypervisor().WaitUntilHanging("SaveImage"));
  EXPECT_TRUE(Delete("web", /*force=*/true).ok());
  const absl::Status preempted = checkpointed.Wait({Soon().deadline, nullptr}, "the answer").status();
  EXPECT_EQ(preempted.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(preempted.message(), "pod web: checkpoint: DeletePod of pod web with force came first");
  EXPECT_THAT(Outs(), IsEmpty());
  ExpectNothingLeft();
}

TEST_F(PodCheckpointTest, DaemonThatEndsMeanwhileLeavesARunningPod) {
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  hypervisor().HangNth("SaveImage", 1);
  Completion<CheckpointedPod> checkpointed;
  runtime_->CheckpointPod("web", Out("one"), false, Soon(), [&](auto result) { checkpointed.Set(std::move(result)); });
  ASSERT_TRUE(hypervisor().WaitUntilHanging("SaveImage"));
  runtime_.reset();
  EXPECT_FALSE(hypervisor().paused("web"));
  EXPECT_THAT(Outs(), IsEmpty());
  Restart();
  ExpectGoesOn("web");
}

TEST_F(PodCheckpointTest, KilledDaemonsHalfIsRemovedAndThePodGoesOn) {
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  runtime_.reset();
  const std::string making = MakingPath(Out("one"), "abcdef");
  fs::create_directories(making + "/image");
  std::ofstream(making + "/image/state") << "half";
  ASSERT_NO_FATAL_FAILURE(LeaveIntent("web", making));
  VmSpec spec;
  spec.pod_id = "web";
  state::v1::VirtualMachine record;
  record.mutable_process()->set_pid(1000001);
  record.add_block_devices()->set_id("rootfs-0");
  auto machine = hypervisor().Adopt(spec, record, {});
  ASSERT_TRUE(machine.ok()) << machine.status();
  ASSERT_TRUE((*machine)->Pause({}).ok());
  machine->reset();
  Restart();
  ExpectGoesOn("web");
}

TEST_F(PodCheckpointTest, KilledDaemonsWholeCheckpointStays) {
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  ASSERT_TRUE(Checkpoint("web", Out("one")).ok());
  const std::string id = ReadCheckpointManifest(Out("one"))->id;
  runtime_.reset();
  ASSERT_NO_FATAL_FAILURE(LeaveIntent("web", MakingPath(Out("one"), id)));
  Restart();
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_RUNNING);
  EXPECT_THAT(Outs(), ElementsAre("one"));
  // Its request is done.
  EXPECT_THAT(StateFile("web"), HasSubstr("\"r1\""));
}

TEST_F(PodCheckpointTest, KilledDaemonsStopIsFinished) {
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  ASSERT_TRUE(Checkpoint("web", Out("one"), /*stop=*/true).ok());
  const std::string id = ReadCheckpointManifest(Out("one"))->id;
  ASSERT_TRUE(Start("web").ok());
  runtime_.reset();
  ASSERT_NO_FATAL_FAILURE(LeaveIntent("web", MakingPath(Out("one"), id)));
  Restart();
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_STOPPED);
  EXPECT_THAT(hypervisor().live_machines(), IsEmpty());
  EXPECT_THAT(Outs(), ElementsAre("one"));
}

TEST_F(PodCheckpointTest, MachineThatEndedMeanwhileLeavesNoHalf) {
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  runtime_.reset();
  const std::string making = MakingPath(Out("one"), "abcdef");
  fs::create_directories(making);
  ASSERT_NO_FATAL_FAILURE(LeaveIntent("web", making));
  ASSERT_TRUE(hypervisor().Crash("web", "gone"));
  Restart();
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_FAILED);
  EXPECT_THAT(Outs(), IsEmpty());
}

}  // namespace
}  // namespace vcd

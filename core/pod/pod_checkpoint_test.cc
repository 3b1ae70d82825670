// SPDX-License-Identifier: Apache-2.0
// Checkpoints of pods, and pods out of them, on fakes.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/pod/testing/checkpoint_fixture.h"

namespace vcd {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const ProcessKey kMain{"main", ""};

TEST_F(PodCheckpointTest, PodGoesOnAndIsMadeAgainOfTheCheckpoint) {
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  const auto done = Checkpoint("web", Out("one"));
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->pod.state(), v1::POD_STATE_RUNNING);
  EXPECT_GT(done->size_bytes, 0u);
  EXPECT_THAT(Outs(), ElementsAre("one"));
  EXPECT_FALSE(hypervisor().paused("web"));
  EXPECT_TRUE(Exec("web", {"sleep"}, "").ok());
  const auto manifest = ReadCheckpointManifest(Out("one"));
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->vcd_version, "9.9");
  ASSERT_EQ(manifest->disks.size(), 1u);
  EXPECT_EQ(manifest->disks[0].path, root_ + "/root.img");
  ASSERT_TRUE(Delete("web", /*force=*/true).ok());

  auto events = Events();
  const auto restored = RestoreWithGuest(Out("one"), "web", "web");
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->state(), v1::POD_STATE_RUNNING);
  EXPECT_EQ(restored->vm().start(), v1::VM_START_RESTORED);
  EXPECT_THAT(metrics_.machine_starts(), ElementsAre(MachineStartKind::kCold, MachineStartKind::kRestored));
  ASSERT_EQ(restored->containers_size(), 1);
  EXPECT_EQ(restored->containers(0).state(), v1::CONTAINER_STATE_RUNNING);
  EXPECT_THAT(hypervisor().disks("web"), ElementsAre("rootfs-0"));
  EXPECT_EQ(AwaitEvent(*events, v1::EVENT_TYPE_POD_CREATED).pod_id(), "web");
  EXPECT_EQ(AwaitEvent(*events, v1::EVENT_TYPE_POD_STARTED).pod_id(), "web");
  agent().Exit("web", kMain, 3);
  EXPECT_EQ(Wait("web")->code(), 3);
  EXPECT_TRUE(Delete("web", /*force=*/true).ok());
  ExpectNothingLeft();
}

TEST_F(PodCheckpointTest, RestoredPodSurvivesTheDaemon) {
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  ASSERT_TRUE(Checkpoint("web", Out("one")).ok());
  ASSERT_TRUE(RestoreWithGuest(Out("one"), "web", "two").ok());
  Restart();
  const v1::Pod pod = Get("two");
  EXPECT_EQ(pod.state(), v1::POD_STATE_RUNNING);
  EXPECT_EQ(pod.vm().start(), v1::VM_START_RESTORED);
  EXPECT_EQ(pod.containers(0).state(), v1::CONTAINER_STATE_RUNNING);
  EXPECT_THAT(hypervisor().disks("two"), ElementsAre("rootfs-0"));
  EXPECT_TRUE(Exec("two", {"sleep"}).ok());
}

TEST_F(PodCheckpointTest, HostNameFollowsTheId) {
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  v1::PodConfig named = ImageConfig("named");
  named.set_hostname("database");
  ASSERT_TRUE(Run(named).ok());
  ASSERT_TRUE(Checkpoint("web", Out("web")).ok());
  ASSERT_TRUE(Checkpoint("named", Out("named")).ok());
  EXPECT_EQ(RestoreWithGuest(Out("web"), "web", "two")->config().hostname(), "two");
  EXPECT_EQ(RestoreWithGuest(Out("named"), "named", "three")->config().hostname(), "database");
}

TEST_F(PodCheckpointTest, StoppedWithIt) {
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  const auto done = Checkpoint("web", Out("one"), /*stop=*/true, "r1");
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->pod.state(), v1::POD_STATE_STOPPED);
  EXPECT_THAT(done->pod.reason(), HasSubstr(Out("one")));
  EXPECT_THAT(hypervisor().live_machines(), IsEmpty());
  // Asked again it does nothing.
  const auto again = Checkpoint("web", Out("one"), /*stop=*/true, "r1");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->size_bytes, done->size_bytes);
  // It boots again as any other.
  ASSERT_TRUE(Start("web").ok());
  EXPECT_EQ(Get("web").vm().start(), v1::VM_START_COLD);
}

TEST_F(PodCheckpointTest, ReadyPodStaysReadyAndIsRestoredSo) {
  ASSERT_TRUE(Create(ImageConfig("web")).ok());
  const auto done = Checkpoint("web", Out("one"));
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->pod.state(), v1::POD_STATE_READY);
  ASSERT_TRUE(Delete("web", /*force=*/true).ok());
  const auto restored = RestoreWithGuest(Out("one"), "web", "two");
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->state(), v1::POD_STATE_READY);
  EXPECT_EQ(restored->containers(0).state(), v1::CONTAINER_STATE_READY);
  EXPECT_EQ(Start("two")->state(), v1::POD_STATE_RUNNING);
}

TEST_F(PodCheckpointTest, PausedPodStaysPausedAndGoesOnElsewhere) {
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  ASSERT_TRUE(Pause("web").ok());
  ASSERT_TRUE(Checkpoint("web", Out("one")).ok());
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_PAUSED);
  EXPECT_TRUE(hypervisor().paused("web"));
  // It runs for a moment before each further one.
  ASSERT_TRUE(Checkpoint("web", Out("two")).ok());
  hypervisor().FailNth("SaveImage", 1, absl::UnavailableError("no"));
  EXPECT_FALSE(Checkpoint("web", Out("three")).ok());
  agent().FailNth("Connect", 1, absl::UnavailableError("no"));
  EXPECT_FALSE(Checkpoint("web", Out("three")).ok());
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_PAUSED);
  EXPECT_TRUE(hypervisor().paused("web"));
  EXPECT_THAT(StateFile("web"), testing::Not(HasSubstr("under_way")));
  const auto restored = RestoreWithGuest(Out("one"), "web", "two");
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->state(), v1::POD_STATE_RUNNING);
  EXPECT_EQ(restored->containers(0).state(), v1::CONTAINER_STATE_RUNNING);
  // The first is spoken to again when it is resumed.
  EXPECT_EQ(Resume("web")->state(), v1::POD_STATE_RUNNING);
  EXPECT_TRUE(Exec("web", {"sleep"}).ok());
}

TEST_F(PodCheckpointTest, ReadersAndWaitersOfThePodNoticeNothing) {
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  const auto exec = Exec("web", {"sleep"});
  ASSERT_TRUE(exec.ok()) << exec.status();
  const ProcessKey process{"main", exec->process_id};
  auto reader = runtime_->Attach("web", process, OutputStart::kBeginning);
  ASSERT_TRUE(reader.ok()) << reader.status();
  auto log = runtime_->Attach("web", kMain, OutputStart::kBeginning);
  ASSERT_TRUE(log.ok()) << log.status();
  ASSERT_TRUE(agent().Print("web", process, StdStream::kStdout, "before "));
  ASSERT_TRUE(agent().Print("web", kMain, StdStream::kStdout, "log before "));
  ASSERT_TRUE(Checkpoint("web", Out("one")).ok());
  ASSERT_TRUE(agent().Print("web", process, StdStream::kStdout, "after"));
  ASSERT_TRUE(agent().Print("web", kMain, StdStream::kStdout, "log after"));
  ASSERT_TRUE(agent().Exit("web", process, 5));
  ASSERT_TRUE(agent().Exit("web", kMain, 6));
  EXPECT_EQ(ReadAll(**reader), "before after");
  EXPECT_EQ(ReadAll(**log), "log before log after");
  EXPECT_EQ(Wait("web", exec->process_id)->code(), 5);
  EXPECT_EQ(Wait("web")->code(), 6);
}

TEST_F(PodCheckpointTest, EndedExecsAreToldOnce) {
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  const auto exec = Exec("web", {"sleep"});
  ASSERT_TRUE(exec.ok()) << exec.status();
  auto events = Events();
  ASSERT_TRUE(agent().Exit("web", {"main", exec->process_id}, 5));
  AwaitEvent(*events, v1::EVENT_TYPE_PROCESS_EXITED);
  ASSERT_TRUE(Checkpoint("web", Out("one")).ok());
  ASSERT_TRUE(agent().Exit("web", kMain, 0));
  // Next comes the container's end, and not once more the exec's.
  while (true) {
    auto event = Await<std::shared_ptr<const v1::Event>>([&](auto done) { events->Next(done); });
    ASSERT_TRUE(event.ok()) << event.status();
    EXPECT_NE((*event)->type(), v1::EVENT_TYPE_PROCESS_EXITED);
    if ((*event)->type() == v1::EVENT_TYPE_CONTAINER_STOPPED) break;
  }
}

TEST_F(PodCheckpointTest, RestoredContainerBeginsANewLogWithoutAGap) {
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  ASSERT_TRUE(agent().Print("web", kMain, StdStream::kStdout, "of the first\n"));
  ASSERT_TRUE(Checkpoint("web", Out("one")).ok());
  // All that the first has printed is acknowledged by now.
  auto first = runtime_->Attach("web", kMain, OutputStart::kBeginning);
  ASSERT_TRUE(first.ok());
  auto chunk = Await<std::optional<OutputChunk>>([&](auto done) { (*first)->Next(done); });
  ASSERT_TRUE(chunk.ok() && chunk->has_value());
  ASSERT_TRUE(RestoreWithGuest(Out("one"), "web", "two").ok());
  ASSERT_TRUE(agent().Print("two", kMain, StdStream::kStdout, "of the second\n"));
  ASSERT_TRUE(agent().Exit("two", kMain, 0));
  ASSERT_TRUE(Wait("two").ok());
  auto log = runtime_->ReadLogs("two", "main", {});
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_EQ(ReadAll(**log), "of the second\n");
}

TEST_F(PodCheckpointTest, WhatNoCheckpointHoldsIsRefusedByName) {
  ASSERT_TRUE(Run(Config("shares")).ok());
  ASSERT_TRUE(Run(ImageConfig("grown")).ok());
  ASSERT_TRUE(Update("grown", 0, 256).ok());
  v1::PodConfig of_process = ImageConfig("of-process");
  of_process.mutable_network_config()->set_netns_pid(4711);
  ASSERT_TRUE(Run(of_process).ok());
  Plan("02:00:00:00:00:01");
  v1::PodConfig served = ImageConfig("served");
  (*served.mutable_network_config()->mutable_vhost_user_sockets())["eth0"] = "/run/switch.sock";
  ASSERT_TRUE(Run(served).ok());
  v1::PodInterface physical = Plan("02:00:00:00:00:02");
  physical.set_pci_address("0000:01:00.0");
  network().SetPlan({physical});
  ASSERT_TRUE(Run(ImageConfig("physical")).ok());
  for (const auto& [id, what] :
       std::vector<std::pair<std::string, std::string>>{{"shares", root_ + "/rootfs"},

                                                        {"of-process", "process 4711"},
                                                        {"served", "eth0 is served by the program at /run/switch.sock"},
                                                        {"physical", "eth0 is device 0000:01:00.0"}}) {
    const absl::Status status = Checkpoint(id, Out(id)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_NOT_IMPLEMENTED) << status;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(id), HasSubstr(what)));
  }
  ASSERT_TRUE(Stop("shares", /*force=*/true).ok());
  EXPECT_EQ(ReasonOf(Checkpoint("shares", Out("x")).status()), v1::ERROR_REASON_WRONG_STATE);
  EXPECT_EQ(ReasonOf(Checkpoint("none", Out("x")).status()), v1::ERROR_REASON_POD_NOT_FOUND);
  EXPECT_EQ(ReasonOf(Checkpoint("grown", "relative").status()), v1::ERROR_REASON_INVALID_FIELD);
  EXPECT_EQ(Checkpoint("grown", root_ + "/out").status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(Outs(), IsEmpty());
}

TEST_F(PodCheckpointTest, BackendsWithoutImagesAreRefused) {
  HypervisorCapabilities capabilities = hypervisor().capabilities();
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  capabilities.images = false;
  hypervisor().set_capabilities(capabilities);
  const absl::Status status = Checkpoint("web", Out("one")).status();
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_NOT_IMPLEMENTED) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("hypervisor fake"));
}

TEST_F(PodCheckpointTest, ContainerThatEndedStaysEnded) {
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  ASSERT_TRUE(agent().Exit("web", kMain, 4));
  ASSERT_TRUE(Wait("web").ok());
  ASSERT_TRUE(Checkpoint("web", Out("one")).ok());
  const auto restored = RestoreWithGuest(Out("one"), "web", "two");
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->containers(0).state(), v1::CONTAINER_STATE_STOPPED);
  EXPECT_EQ(restored->containers(0).exit_status().code(), 4);
  EXPECT_EQ(Wait("two")->code(), 4);
}

}  // namespace
}  // namespace vcd

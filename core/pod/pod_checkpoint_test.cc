// SPDX-License-Identifier: Apache-2.0
// Checkpoints of pods, and pods out of them: on fakes, with failures at each step and restarts in between.
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/checkpoint/checkpoint.h"
#include "core/metric/testing/recorded_metrics.h"
#include "core/pod/testing/pod_runtime_fixture.h"

namespace vcd {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const ProcessKey kMain{"main", ""};

class PodCheckpointTest : public PodRuntimeTest {
 protected:
  PodCheckpointTest() {
    fs::create_directory(root_ + "/out");
    options_.version = "9.9";
    options_.metrics = &metrics_;
    MakeExt4("root.img", 'r');
    Restart();
  }
  // The metrics go first.
  ~PodCheckpointTest() override { runtime_.reset(); }

  // A file with an ext4's superblock, as far as anybody on the host looks.
  void MakeExt4(const std::string& name, char fill) {
    std::string bytes(4096, fill);
    bytes.replace(1080, 2, "\x53\xef");
    std::ofstream(root_ + "/" + name, std::ios::binary) << bytes;
  }

  v1::PodConfig ImageConfig(const std::string& id, const std::string& program = "sleep") {
    v1::PodConfig config = Config(id, program);
    v1::ImageRootfs& image = *config.mutable_containers(0)->mutable_rootfs()->mutable_image();
    image.set_path(root_ + "/root.img");
    image.set_fs_type("ext4");
    return config;
  }

  // What pods have on their network from now on.
  v1::PodInterface Plan(const std::string& mac) {
    v1::PodInterface eth0;
    eth0.set_name("eth0");
    eth0.set_mac(mac);
    network().SetPlan({eth0});
    return eth0;
  }

  // One that writes to two disks: its root file system, and another.
  v1::PodConfig DiskConfig(const std::string& id) {
    MakeExt4("disk.img", 'd');
    MakeExt4("data.img", 'e');
    v1::PodConfig config = Config(id);
    v1::ContainerConfig& main = *config.mutable_containers(0);
    main.mutable_rootfs()->mutable_block()->set_path(root_ + "/disk.img");
    v1::Mount& data = *main.add_mounts();
    data.set_type("ext4");
    data.set_source(root_ + "/data.img");
    data.set_destination("/data");
    return config;
  }
  std::string DiskOf(const std::string& id, const std::string& disk) const {
    return options_.state_dir + "/pods/" + id + "/disks/" + disk;
  }
  char FirstByte(const std::string& path) { return filesystem_.ReadFile(path).value_or("?")[0]; }

  std::string Out(const std::string& name) const { return root_ + "/out/" + name; }

  std::vector<std::string> Outs() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(root_ + "/out")) names.push_back(entry.path().filename());
    return names;
  }

  // A pod out of the checkpoint, with the guest that the pod of before had.
  absl::StatusOr<v1::Pod> RestoreWithGuest(const std::string& directory, const std::string& from, const std::string& to,
                                           const std::string& request_id = "") {
    agent().GiveGuest(to, agent().Guest(from));
    return Restore(directory, to, request_id);
  }

  // The pod goes on as if nothing had been: it runs, its guest is spoken to, and nothing is left anywhere.
  void ExpectGoesOn(const std::string& id) {
    EXPECT_EQ(Get(id).state(), v1::POD_STATE_RUNNING);
    EXPECT_FALSE(hypervisor().paused(id));
    EXPECT_THAT(Outs(), IsEmpty());
    EXPECT_TRUE(Exec(id, {"sleep"}).ok());
    EXPECT_THAT(StateFile(id), testing::Not(HasSubstr("under_way")));
  }

  std::string ReadAll(OutputReader& reader) {
    std::string text;
    while (true) {
      auto chunk = Await<std::optional<OutputChunk>>([&](auto done) { reader.Next(done); });
      EXPECT_TRUE(chunk.ok()) << chunk.status();
      if (!chunk.ok() || !chunk->has_value()) return text;
      EXPECT_EQ((*chunk)->lost_bytes, 0u);
      text += (*chunk)->data;
    }
  }

  std::string StateFile(const std::string& id) {
    return filesystem_.ReadFile(options_.run_dir + "/pods/" + id + "/state.json").value_or("");
  }

  // As a daemon leaves it that is killed while it makes a checkpoint of the pod.
  void LeaveIntent(const std::string& id, const std::string& making) {
    std::string json = StateFile(id);
    json.replace(json.rfind(",\n \"checksum\""), std::string::npos,
                 ",\n \"under_way\": {\"intent\": \"INTENT_CHECKPOINT\", \"making\": \"" + making +
                     "\", \"request\": {\"request_id\": \"r1\", \"fingerprint\": \"7\"}}\n}\n");
    ASSERT_TRUE(filesystem_.WriteFile(options_.run_dir + "/pods/" + id + "/state.json", json).ok());
  }

  RecordedMetrics metrics_;
};

TEST_F(PodCheckpointTest, PodGoesOnAndIsMadeAgainOfTheCheckpoint) {
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  const auto done = Checkpoint("web", Out("one"));
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->pod.state(), v1::POD_STATE_RUNNING);
  EXPECT_GT(done->size_bytes, 0u);
  EXPECT_THAT(Outs(), ElementsAre("one"));
  EXPECT_FALSE(hypervisor().paused("web"));
  EXPECT_TRUE(Exec("web", {"sleep"}, "").ok());
  const auto manifest = ReadCheckpointManifest(filesystem_, Out("one"));
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

TEST_F(PodCheckpointTest, EachPodOfOneHasAPlaceOfItsOwnOnTheNetwork) {
  Plan("02:00:00:00:00:01");
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  ASSERT_TRUE(Checkpoint("web", Out("one")).ok());
  EXPECT_THAT(hypervisor().nics("web"), ElementsAre("02:00:00:00:00:01"));
  for (const auto& [id, mac] :
       std::vector<std::pair<std::string, std::string>>{{"two", "02:00:00:00:00:02"}, {"three", "02:00:00:00:00:03"}}) {
    Plan(mac);
    const auto restored = RestoreWithGuest(Out("one"), "web", id);
    ASSERT_TRUE(restored.ok()) << restored.status();
    ASSERT_EQ(restored->network().interfaces_size(), 1);
    EXPECT_EQ(restored->network().interfaces(0).mac(), mac);
    EXPECT_THAT(hypervisor().nics(id), ElementsAre(mac));
    ASSERT_EQ(agent().interfaces(id).size(), 1u);
    EXPECT_EQ(agent().interfaces(id)[0].mac(), mac);
  }
  // The guest hears of the one that goes before it does, and of the new one afterwards.
  std::vector<std::string> told;
  for (const std::string& call : agent().calls()) {
    if (call.find("Interface") != std::string::npos && call.find("three") != std::string::npos) told.push_back(call);
  }
  EXPECT_THAT(told, ElementsAre("RemoveInterface three 02:00:00:00:00:01", "SetInterface three eth0"));
  // A later daemon finds nothing of what was.
  Restart();
  EXPECT_THAT(hypervisor().nics("two"), ElementsAre("02:00:00:00:00:02"));
  EXPECT_EQ(Get("two").network().interfaces(0).mac(), "02:00:00:00:00:02");
  for (const char* id : {"web", "two", "three"}) ASSERT_TRUE(Delete(id, /*force=*/true).ok());
  ExpectNothingLeft();
}

TEST_F(PodCheckpointTest, NothingIsLeftOfANetworkThatIsNotJoined) {
  Plan("02:00:00:00:00:01");
  ASSERT_TRUE(Run(ImageConfig("web")).ok());
  ASSERT_TRUE(Checkpoint("web", Out("one")).ok());
  Plan("02:00:00:00:00:02");
  const absl::Status no = absl::UnavailableError("no");
  const std::vector<std::pair<std::string, std::function<void()>>> faults = {
      {"leave the network of the checkpoint", [&] { hypervisor().FailNth("DetachNic", 1, no); }},
      {"network interface eth0", [&] { hypervisor().FailNth("AttachNic", 1, no); }},
      {"set it up in the guest", [&] { agent().FailNth("SetInterface", 1, no); }},
  };
  for (const auto& [what, fault] : faults) {
    fault();
    const absl::Status status = RestoreWithGuest(Out("one"), "web", "two").status();
    EXPECT_THAT(std::string(status.message()), HasSubstr(what));
    EXPECT_FALSE(runtime_->GetPod("two").ok());
    EXPECT_THAT(hypervisor().live_machines(), ElementsAre("web"));
    EXPECT_THAT(network().attached(), ElementsAre("web"));
  }
  // The guest is not asked whether it agrees.
  agent().FailNth("RemoveInterface", 1, no);
  EXPECT_TRUE(RestoreWithGuest(Out("one"), "web", "two").ok());
  EXPECT_THAT(hypervisor().nics("two"), ElementsAre("02:00:00:00:00:02"));
}

TEST_F(PodCheckpointTest, DisksThatAreWrittenGoAlongAndEachPodHasItsOwn) {
  ASSERT_TRUE(Run(DiskConfig("web")).ok());
  const auto done = Checkpoint("web", Out("one"));
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_GE(done->size_bytes, 2 * 4096u);
  EXPECT_THAT(ReadCheckpointManifest(filesystem_, Out("one"))->disks, IsEmpty());
  // The first goes on, and writes.
  MakeExt4("disk.img", 'x');
  for (const char* id : {"two", "three"}) {
    const auto restored = RestoreWithGuest(Out("one"), "web", id);
    ASSERT_TRUE(restored.ok()) << restored.status();
    const v1::ContainerConfig& main = restored->containers(0).config();
    EXPECT_EQ(main.rootfs().block().path(), DiskOf(id, "rootfs-0"));
    EXPECT_EQ(main.mounts(0).source(), DiskOf(id, "mount-1"));
    EXPECT_EQ(FirstByte(DiskOf(id, "rootfs-0")), 'd');
    EXPECT_EQ(FirstByte(DiskOf(id, "mount-1")), 'e');
    EXPECT_THAT(hypervisor().disks(id), testing::UnorderedElementsAre("rootfs-0", "mount-1"));
  }
  // One of them goes with all that it has; the others stay as they are, also without the files of the first.
  ASSERT_TRUE(Delete("two", /*force=*/true).ok());
  EXPECT_FALSE(fs::exists(options_.state_dir + "/pods/two"));
  ASSERT_TRUE(Delete("web", /*force=*/true).ok());
  EXPECT_EQ(FirstByte(root_ + "/disk.img"), 'x');
  fs::remove(root_ + "/disk.img");
  Restart();
  ASSERT_TRUE(Stop("three", /*force=*/true).ok());
  ASSERT_TRUE(Start("three").ok());
  EXPECT_THAT(hypervisor().disks("three"), testing::UnorderedElementsAre("rootfs-0", "mount-1"));
  // A checkpoint of it is one as any other.
  ASSERT_TRUE(Checkpoint("three", Out("again")).ok());
  ASSERT_TRUE(Delete("three", /*force=*/true).ok());
  ASSERT_TRUE(RestoreWithGuest(Out("again"), "three", "web").ok());
  EXPECT_EQ(FirstByte(DiskOf("web", "rootfs-0")), 'd');
  ASSERT_TRUE(Delete("web", /*force=*/true).ok());
  ExpectNothingLeft();
}

TEST_F(PodCheckpointTest, NothingIsLeftOfDisksWhenARestoreFails) {
  ASSERT_TRUE(Run(DiskConfig("web")).ok());
  ASSERT_TRUE(Checkpoint("web", Out("one")).ok());
  hypervisor().FailNth("Boot", 1, absl::FailedPreconditionError("no"));
  EXPECT_FALSE(Restore(Out("one"), "two").ok());
  EXPECT_FALSE(fs::exists(options_.state_dir + "/pods/two"));
  EXPECT_TRUE(RestoreWithGuest(Out("one"), "web", "two").ok());
  // A damaged one is found before anything is made.
  MakeExt4("out/one/disks/rootfs-0", 'y');
  const absl::Status damaged = Restore(Out("one"), "three").status();
  EXPECT_EQ(damaged.code(), absl::StatusCode::kDataLoss) << damaged;
  EXPECT_THAT(std::string(damaged.message()), HasSubstr("disks/rootfs-0"));
  fs::remove(Out("one") + "/disks/rootfs-0");
  EXPECT_EQ(ReasonOf(Restore(Out("one"), "three").status()), v1::ERROR_REASON_CHECKPOINT_UNFIT);
}

TEST_F(PodCheckpointTest, DiskOfAStoppedContainerIsRefused) {
  v1::PodConfig config = DiskConfig("web");
  v1::ContainerConfig side = config.containers(0);
  side.set_id("side");
  config.mutable_containers(0)->clear_mounts();
  config.mutable_containers(0)->mutable_rootfs()->mutable_image()->set_path(root_ + "/root.img");
  *config.add_containers() = side;
  ASSERT_TRUE(Run(config).ok());
  ASSERT_TRUE(StopContainer("web", "side").ok());
  const absl::Status status = Checkpoint("web", Out("one")).status();
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_NOT_IMPLEMENTED) << status;
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("container side"), HasSubstr(root_ + "/disk.img")));
  ASSERT_TRUE(StartContainer("web", "side").ok());
  EXPECT_TRUE(Checkpoint("web", Out("one")).ok());
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
  EXPECT_EQ(checkpointed.Wait({Soon().deadline, nullptr}, "the answer").status().code(), absl::StatusCode::kAborted);
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
  const std::string id = ReadCheckpointManifest(filesystem_, Out("one"))->id;
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
  const std::string id = ReadCheckpointManifest(filesystem_, Out("one"))->id;
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

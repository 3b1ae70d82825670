// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/os/process.h"
#include "core/pod/testing/pod_runtime_fixture.h"
#include "core/state/state_store.h"

namespace vcd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using PodRecoveryTest = PodRuntimeTest;

TEST_F(PodRecoveryTest, NextDaemonAdoptsARunningPod) {
  ASSERT_TRUE(Run(Config("web")).ok());
  const v1::Pod before = Get("web");
  Restart();
  const v1::Pod after = Get("web");
  EXPECT_EQ(after.state(), v1::POD_STATE_RUNNING);
  EXPECT_EQ(after.vm().pid(), before.vm().pid());
  EXPECT_TRUE(Exec("web", {"print", "a", "b"}).ok());
  EXPECT_TRUE(Stop("web").ok());
}

// So many that their records are read by several threads.
TEST_F(PodRecoveryTest, ManyPodsComeBackAsTheyWere) {
  constexpr int kPods = 100;
  const auto id = [](int i) { return absl::StrCat("pod-", i); };
  for (int i = 0; i < kPods; ++i) {
    ASSERT_TRUE(Run(Config(id(i))).ok());
    if (i % 10 == 0) {
      ASSERT_TRUE(Stop(id(i)).ok());
    }
  }
  Restart();
  ASSERT_EQ(runtime_->ListPods().size(), size_t{kPods});
  for (int i = 0; i < kPods; ++i) {
    EXPECT_EQ(Get(id(i)).state(), i % 10 == 0 ? v1::POD_STATE_STOPPED : v1::POD_STATE_RUNNING) << i;
  }
}

TEST_F(PodRecoveryTest, ExitWhileTheDaemonIsAwayIsLearntAfterwards) {
  ASSERT_TRUE(Run(Config("web")).ok());
  runtime_.reset();
  agent().Exit("web", {"main", ""}, 3);
  auto events = Events();
  Restart();
  EXPECT_EQ(Wait("web")->code(), 3);
  AwaitEvent(*events, v1::EVENT_TYPE_CONTAINER_STOPPED);
  EXPECT_EQ(Get("web").containers(0).exit_status().code(), 3);
}

TEST_F(PodRecoveryTest, OutputOverARestartIsNeitherLostNorDoubled) {
  ASSERT_TRUE(Run(Config("web")).ok());
  agent().Print("web", {"main", ""}, StdStream::kStdout, "one ");
  runtime_.reset();
  agent().Print("web", {"main", ""}, StdStream::kStdout, "two\n");
  Restart();
  agent().Exit("web", {"main", ""}, 0);
  EXPECT_TRUE(Wait("web").ok());
  auto log = runtime_->ReadLogs("web", "main", {/*follow=*/true, std::nullopt, std::nullopt});
  ASSERT_TRUE(log.ok());
  std::string text;
  while (true) {
    auto chunk = Await<std::optional<OutputChunk>>([&](auto done) { (*log)->Next(done); });
    ASSERT_TRUE(chunk.ok());
    if (!chunk->has_value()) break;
    text += (*chunk)->data;
  }
  EXPECT_EQ(text, "one two\n");
}

TEST_F(PodRecoveryTest, MachineThatDiedMeanwhileMakesThePodFailed) {
  ASSERT_TRUE(Run(Config("web")).ok());
  runtime_.reset();
  ASSERT_TRUE(hypervisor().Crash("web", "gone"));
  Restart();
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_FAILED);
  EXPECT_TRUE(Delete("web").ok());
  ExpectNothingLeft();
}

TEST_F(PodRecoveryTest, AfterAHostRebootThePodIsStoppedAndStartsAgain) {
  ASSERT_TRUE(Run(Config("web")).ok());
  runtime_.reset();
  ASSERT_TRUE(hypervisor().Crash("web", "power"));
  std::filesystem::remove_all(options_.run_dir);
  Restart();
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_STOPPED);
  EXPECT_THAT(Get("web").reason(), HasSubstr("HOST_REBOOTED"));
  auto again = Start("web");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->state(), v1::POD_STATE_RUNNING);
}

TEST_F(PodRecoveryTest, DamagedRecordMakesOnePodFailedAndTheDaemonServes) {
  ASSERT_TRUE(Run(Config("bad")).ok());
  ASSERT_TRUE(Create(Config("good")).ok());
  runtime_.reset();
  std::ofstream(options_.run_dir + "/pods/bad/state.json") << "{ torn";
  Restart();
  EXPECT_EQ(Get("bad").state(), v1::POD_STATE_FAILED);
  EXPECT_THAT(Get("bad").reason(), HasSubstr("RECORD_DAMAGED"));
  EXPECT_EQ(Get("good").state(), v1::POD_STATE_READY);
  EXPECT_TRUE(Delete("bad", /*force=*/true).ok());
  EXPECT_THAT(hypervisor().live_machines(), ElementsAre("good"));
}

TEST_F(PodRecoveryTest, AStateWordThatWasDamagedIsToldAndNotGuessed) {
  ASSERT_TRUE(Run(Config("web")).ok());
  runtime_.reset();
  const std::string path = options_.run_dir + "/pods/web/state.json";
  std::string json = *filesystem_.ReadFile(path);
  const size_t at = json.find("POD_STATE_RUNNING");
  ASSERT_NE(at, std::string::npos);
  json[at + 12] = 'r';
  // As if it had been edited by hand: without its checksum.
  json.replace(json.rfind(",\n \"checksum\""), std::string::npos, "\n}\n");
  ASSERT_TRUE(filesystem_.WriteFile(path, json).ok());
  Restart();
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_FAILED);
  EXPECT_THAT(Get("web").reason(), HasSubstr("no known state"));
  // The VM may still be of use to somebody: it runs until the pod is stopped, and then the pod starts anew.
  EXPECT_THAT(hypervisor().live_machines(), ElementsAre("web"));
  ASSERT_TRUE(Stop("web", /*force=*/true).ok());
  EXPECT_THAT(hypervisor().live_machines(), IsEmpty());
  EXPECT_EQ(Start("web")->state(), v1::POD_STATE_RUNNING);
  EXPECT_EQ(*filesystem_.ReadFile(options_.state_dir + "/quarantine/web-1/state.json"), json);
}

TEST_F(PodRecoveryTest, AConfigurationThatIsGoneMakesThePodFailedNotDeleted) {
  ASSERT_TRUE(Run(Config("web")).ok());
  runtime_.reset();
  ASSERT_TRUE(filesystem_.RemoveFile(options_.state_dir + "/pods/web/config.json").ok());
  Restart();
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_FAILED);
  EXPECT_THAT(Get("web").reason(), HasSubstr("config.json: is not there"));
  EXPECT_THAT(hypervisor().live_machines(), ElementsAre("web"));
  EXPECT_EQ(Stop("web", /*force=*/true)->state(), v1::POD_STATE_FAILED);
  EXPECT_TRUE(Delete("web").ok());
  ExpectNothingLeft();
}

TEST_F(PodRecoveryTest, ARecordTakenFromARunningPodDoesNotLeaveItsMachineBehind) {
  ASSERT_TRUE(Run(Config("web")).ok());
  runtime_.reset();
  ASSERT_TRUE(filesystem_.RemoveFile(options_.run_dir + "/pods/web/state.json").ok());
  Restart();
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_STOPPED);
  EXPECT_THAT(hypervisor().live_machines(), IsEmpty());
  EXPECT_EQ(Start("web")->state(), v1::POD_STATE_RUNNING);
}

TEST_F(PodRecoveryTest, AMachineThatCannotBeEndedKeepsItsPodFromBootingASecondOne) {
  ASSERT_TRUE(Run(Config("web")).ok());
  runtime_.reset();
  ASSERT_TRUE(filesystem_.RemoveFile(options_.run_dir + "/pods/web/state.json").ok());
  hypervisor().FailNth("Reap", 1, absl::InternalError("it does not die"));
  Restart();
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_FAILED);
  EXPECT_THAT(Get("web").reason(), HasSubstr("its VM could not be ended: it does not die"));
  EXPECT_EQ(ReasonOf(Start("web").status()), v1::ERROR_REASON_WRONG_STATE);
  EXPECT_THAT(hypervisor().live_machines(), ElementsAre("web"));
  EXPECT_EQ(Stop("web")->state(), v1::POD_STATE_STOPPED);
  EXPECT_THAT(hypervisor().live_machines(), IsEmpty());
}

TEST_F(PodRecoveryTest, AHalfDeletedPodThatCannotBeCleanedUpTakesNothingButItsDeletion) {
  ASSERT_TRUE(Run(Config("web")).ok());
  hypervisor().FailNth("Reap", 1, absl::InternalError("it does not die"));
  ASSERT_FALSE(Delete("web", /*force=*/true).ok());
  runtime_.reset();
  ASSERT_TRUE(filesystem_.RemoveFile(options_.state_dir + "/pods/web/config.json").ok());
  hypervisor().FailNth("Reap", 1, absl::InternalError("it does not die"));
  Restart();
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_FAILED);
  const absl::Status annotated = Annotate("web", "org.example/seen", "1").status();
  EXPECT_EQ(annotated.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(annotated.message()), HasSubstr("deletion was cut off"));
  Restart();
  ExpectNothingLeft();
}

TEST_F(PodRecoveryTest, ABackendThatIsGoneMakesThePodFailedUntilItIsBack) {
  ASSERT_TRUE(Create(Config("web")).ok());
  runtime_.reset();
  const std::string path = options_.state_dir + "/pods/web/config.json";
  const std::string json = *filesystem_.ReadFile(path);
  std::string other = json;
  other.replace(other.find("\"fake\""), 6, "\"xen\"");
  other.replace(other.rfind(",\n \"checksum\""), std::string::npos, "\n}\n");
  ASSERT_TRUE(filesystem_.WriteFile(path, other).ok());
  Restart();
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_FAILED);
  EXPECT_THAT(Get("web").reason(), HasSubstr("`xen`, which this vcd does not have"));
  runtime_.reset();
  ASSERT_TRUE(filesystem_.WriteFile(path, json).ok());
  Restart();
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_READY);
}

TEST_F(PodRecoveryTest, APodOfABackendThatIsGoneKeepsItsNameAndIsTakenDownByAll) {
  ASSERT_TRUE(Run(Config("web")).ok());
  runtime_.reset();
  const std::string path = options_.state_dir + "/pods/web/config.json";
  std::string json = *filesystem_.ReadFile(path);
  json.replace(json.find("\"fake\""), 6, "\"xen\"");
  json.replace(json.rfind(",\n \"checksum\""), std::string::npos, "\n}\n");
  ASSERT_TRUE(filesystem_.WriteFile(path, json).ok());
  Restart();
  const v1::Pod pod = Get("web");
  EXPECT_EQ(pod.state(), v1::POD_STATE_FAILED);
  EXPECT_EQ(pod.config().hypervisor(), "xen");
  EXPECT_GT(pod.vm().pid(), 0);
  EXPECT_EQ(ReasonOf(Start("web").status()), v1::ERROR_REASON_WRONG_STATE);
  EXPECT_THAT(hypervisor().live_machines(), ElementsAre("web"));
  EXPECT_TRUE(Delete("web").ok());
  ExpectNothingLeft();
}

// The machine of a hypervisor that no daemon of today knows: its process is ended by its identity.
TEST_F(PodRecoveryTest, AMachineThatOnlyTheRecordKnowsIsEndedWithItsPod) {
  ASSERT_TRUE(Create(Config("web")).ok());
  runtime_.reset();
  const std::string path = options_.state_dir + "/pods/web/config.json";
  std::string config = *filesystem_.ReadFile(path);
  config.replace(config.find("\"fake\""), 6, "\"xen\"");
  config.replace(config.rfind(",\n \"checksum\""), std::string::npos, "\n}\n");
  ASSERT_TRUE(filesystem_.WriteFile(path, config).ok());

  const absl::StatusOr<LaunchedProcess> vmm = LaunchProcess({.argv = {"/bin/sleep", "600"}});
  ASSERT_TRUE(vmm.ok()) << vmm.status();
  StateStore store(filesystem_, options_.state_dir, options_.run_dir);
  auto record = store.LoadRecord("web");
  ASSERT_TRUE(record.ok()) << record.status();
  state::v1::ProcessIdentity& process = *record->mutable_vm()->mutable_process();
  process.set_pid(vmm->identity.pid);
  process.set_start_time_ticks(vmm->identity.start_time_ticks);
  process.set_boot_id(vmm->identity.boot_id);
  ASSERT_TRUE(store.SaveRecord(*record).ok());
  Restart();
  EXPECT_TRUE(OpenPidfd(vmm->identity).ok());
  ASSERT_TRUE(Delete("web").ok());
  EXPECT_TRUE(absl::IsNotFound(OpenPidfd(vmm->identity).status()));
}

TEST_F(PodRecoveryTest, ANetworkThatIsGoneIsToldByADeletion) {
  ASSERT_TRUE(Create(Config("web")).ok());
  runtime_.reset();
  const std::string path = options_.state_dir + "/pods/web/config.json";
  std::string json = *filesystem_.ReadFile(path);
  json.replace(json.rfind("\"fake\""), 6, "\"vlan\"");
  json.replace(json.rfind(",\n \"checksum\""), std::string::npos, "\n}\n");
  ASSERT_TRUE(filesystem_.WriteFile(path, json).ok());
  Restart();
  EXPECT_THAT(Get("web").reason(), HasSubstr("network is `vlan`, which this vcd does not have"));
  EXPECT_THAT(std::string(Delete("web").status().message()), HasSubstr("network vlan: this vcd does not have it"));
  const auto released = Delete("web", /*force=*/true);
  ASSERT_TRUE(released.ok()) << released.status();
  EXPECT_THAT(released->kept, ElementsAre(HasSubstr("network vlan")));
  EXPECT_THAT(hypervisor().live_machines(), IsEmpty());
}

TEST_F(PodRecoveryTest, SecondDaemonOnTheSameDirectoriesIsRefused) {
  EventBus events;
  const absl::Status status = PodRuntime::Open(options_, backends_, filesystem_, io_, pool_, events).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("another vcd"));
}

}  // namespace
}  // namespace vcd

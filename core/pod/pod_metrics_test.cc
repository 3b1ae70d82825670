// SPDX-License-Identifier: Apache-2.0
// What the pod runtime tells whoever counts, and the timeline of a boot that it keeps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "core/agent/testing/fake_agent.h"
#include "core/hypervisor/testing/fake_hypervisor.h"
#include "core/metric/testing/recorded_metrics.h"
#include "core/network/testing/fake_network.h"
#include "core/os/completion.h"
#include "core/os/posix_filesystem.h"
#include "core/os/testing/temporary_directory.h"
#include "core/pod/pod_runtime.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

MutationOptions Soon() { return {absl::Now() + absl::Seconds(30), ""}; }

class PodMetricsTest : public testing::Test {
 protected:
  PodMetricsTest() {
    std::filesystem::create_directories(root_.path() + "/rootfs");
    backends_.hypervisors["fake"] = std::make_unique<FakeHypervisor>(io_);
    backends_.agents["fake"] = std::make_unique<FakeAgent>(io_);
    backends_.networks["fake"] = std::make_unique<FakeNetwork>();
    backends_.default_hypervisor = backends_.default_agent = backends_.default_network = "fake";
    options_.state_dir = root_.path() + "/state";
    options_.run_dir = root_.path() + "/run";
    options_.max_parallel_boots = 1;
    options_.metrics = &metrics_;
    Restart();
  }

  FakeHypervisor& hypervisor() { return static_cast<FakeHypervisor&>(*backends_.hypervisors["fake"]); }

  void Restart() {
    runtime_.reset();
    auto runtime = PodRuntime::Open(options_, backends_, filesystem_, io_, pool_, events_);
    ASSERT_TRUE(runtime.ok()) << runtime.status();
    runtime_ = *std::move(runtime);
    runtime_->WaitReconciled();
  }

  v1::PodConfig Config(const std::string& id) {
    v1::PodConfig config;
    config.set_id(id);
    v1::ContainerConfig& container = *config.add_containers();
    container.set_id("main");
    container.mutable_rootfs()->mutable_directory()->set_path(root_.path() + "/rootfs");
    container.mutable_cmd()->add_args("sleep");
    return config;
  }

  static absl::StatusOr<v1::Pod> Await(const std::function<void(PodRuntime::PodCallback)>& call) {
    Completion<v1::Pod> completion;
    call([completion](absl::StatusOr<v1::Pod> pod) { completion.Set(std::move(pod)); });
    return completion.Wait({Soon().deadline, nullptr}, "the answer");
  }
  absl::StatusOr<v1::Pod> Create(const std::string& id) {
    return Await([&](auto done) { runtime_->CreatePod(Config(id), Soon(), done); });
  }
  absl::StatusOr<v1::Pod> Run(const std::string& id) {
    return Await([&](auto done) { runtime_->RunPod(Config(id), Soon(), done); });
  }
  absl::StatusOr<v1::Pod> Start(const std::string& id) {
    return Await([&](auto done) { runtime_->StartPod(id, Soon(), done); });
  }
  absl::StatusOr<v1::Pod> Stop(const std::string& id) {
    return Await([&](auto done) { runtime_->StopPod(id, {.force = true}, Soon(), done); });
  }
  absl::Status Delete(const std::string& id) {
    Completion<Released> completion;
    runtime_->DeletePod(id, /*force=*/true, Soon(),
                        [completion](absl::StatusOr<Released> released) { completion.Set(std::move(released)); });
    return completion.Wait({Soon().deadline, nullptr}, "the answer").status();
  }

  RecordedMetrics metrics_;
  TemporaryDirectory root_;
  PosixFilesystem filesystem_;
  IoThread io_;
  WorkerPool pool_{16};
  EventBus events_;
  Backends backends_;
  PodRuntimeOptions options_;
  std::unique_ptr<PodRuntime> runtime_;
};

TEST_F(PodMetricsTest, EachOperationTellsItsPhases) {
  ASSERT_TRUE(Create("web").ok());
  ASSERT_TRUE(Start("web").ok());
  ASSERT_TRUE(Stop("web").ok());
  ASSERT_TRUE(Start("web").ok());
  ASSERT_TRUE(Delete("web").ok());
  EXPECT_THAT(metrics_.PhasesOf("CreatePod"), ElementsAre("lock_wait", "boot_queue", "work", "persist", "network",
                                                          "vmm_boot", "guest_connect", "containers"));
  EXPECT_THAT(metrics_.PhasesOf("StopPod"), ElementsAre("lock_wait", "work", "tear_down"));
  EXPECT_THAT(metrics_.PhasesOf("StartPod"), ElementsAre("lock_wait", "boot_queue", "work", "persist", "network",
                                                         "vmm_boot", "guest_connect", "containers", "release"));
  EXPECT_THAT(metrics_.PhasesOf("DeletePod"), ElementsAre("lock_wait", "work", "tear_down"));
  for (const OperationReport& report : metrics_.operations()) EXPECT_EQ(report.code, absl::StatusCode::kOk);
}

TEST_F(PodMetricsTest, FailedBootTellsWhereItFailedAndThatItWasUndone) {
  hypervisor().FailNth("Boot", 1, absl::ResourceExhaustedError("no memory"));
  ASSERT_FALSE(Run("web").ok());
  ASSERT_THAT(metrics_.operations(), SizeIs(1));
  EXPECT_EQ(metrics_.operations()[0].code, absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(metrics_.PhasesOf("RunPod"),
              ElementsAre("lock_wait", "boot_queue", "work", "persist", "network", "vmm_boot", "undo"));
}

TEST_F(PodMetricsTest, TimelineIsThatOfTheLastBootAndSurvivesARestart) {
  auto run = Run("web");
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_GT(run->boot_timeline().persist_seconds(), 0);
  EXPECT_GT(run->boot_timeline().total_seconds(), run->boot_timeline().persist_seconds());
  const std::string first = run->boot_timeline().SerializeAsString();
  Restart();
  EXPECT_EQ((*runtime_->GetPod("web"))->Unpack().boot_timeline().SerializeAsString(), first);
  ASSERT_TRUE(Stop("web").ok());
  EXPECT_EQ((*runtime_->GetPod("web"))->Unpack().boot_timeline().SerializeAsString(), first);
  // A boot that fails is no boot.
  hypervisor().FailNth("Boot", 1, absl::ResourceExhaustedError("no memory"));
  ASSERT_FALSE(Start("web").ok());
  EXPECT_EQ((*runtime_->GetPod("web"))->Unpack().boot_timeline().SerializeAsString(), first);
  ASSERT_TRUE(Start("web").ok());
  EXPECT_NE((*runtime_->GetPod("web"))->Unpack().boot_timeline().SerializeAsString(), first);
}

TEST_F(PodMetricsTest, StartOfAHeldPodKeepsTheTimelineOfItsBoot) {
  auto created = Create("web");
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_GT(created->boot_timeline().total_seconds(), 0);
  auto started = Start("web");
  ASSERT_TRUE(started.ok()) << started.status();
  EXPECT_EQ(started->boot_timeline().SerializeAsString(), created->boot_timeline().SerializeAsString());
}

TEST_F(PodMetricsTest, LoadShowsTheQueueOfBoots) {
  EXPECT_EQ(runtime_->load().boots.taken, 0u);
  hypervisor().HangNth("Boot", 1);
  Completion<v1::Pod> hung;
  runtime_->RunPod(Config("a"), Soon(), [hung](absl::StatusOr<v1::Pod> pod) { hung.Set(std::move(pod)); });
  ASSERT_TRUE(hypervisor().WaitUntilHanging("Boot"));
  EXPECT_EQ(runtime_->load().boots.taken, 1u);
  EXPECT_EQ(runtime_->load().boots.waiting, 0u);
  // Either it or the undo of the creation, which it cancels, removes the pod.
  (void)Delete("a");
  EXPECT_FALSE(hung.Wait({Soon().deadline, nullptr}, "the answer").ok());
  EXPECT_EQ(runtime_->load().boots.taken, 0u);
}

TEST_F(PodMetricsTest, RecoveryTellsWhatCameOfEachPod) {
  EXPECT_EQ(metrics_.reconciled(), 1);
  EXPECT_THAT(metrics_.recovered(), IsEmpty());
  for (const char* id : {"adopted", "damaged", "lost", "rebooted", "stopped"}) ASSERT_TRUE(Run(id).ok()) << id;
  ASSERT_TRUE(Stop("stopped").ok());
  ASSERT_TRUE(Stop("rebooted").ok());
  runtime_.reset();
  std::ofstream(options_.run_dir + "/pods/damaged/state.json") << "{";
  std::filesystem::remove_all(options_.run_dir + "/pods/rebooted");
  ASSERT_TRUE(hypervisor().Crash("lost", "killed"));
  Restart();
  EXPECT_THAT(metrics_.recovered(),
              UnorderedElementsAre(RecoveryOutcome::kAdopted, RecoveryOutcome::kDamaged, RecoveryOutcome::kLost,
                                   RecoveryOutcome::kRebooted, RecoveryOutcome::kUnchanged));
  EXPECT_GE(metrics_.reconciled(), 2);
  EXPECT_THAT(metrics_.PhasesOf("Reconcile"), ElementsAre("lock_wait", "work"));
  EXPECT_EQ(runtime_->load().pods_reconciling, 0u);
}

}  // namespace
}  // namespace vcd

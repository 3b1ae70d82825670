// SPDX-License-Identifier: Apache-2.0
// Limits, what is used, and guests that fall silent or run out of memory.
#include <signal.h>

#include "core/metric/testing/recorded_metrics.h"
#include "core/pod/testing/pod_runtime_fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

class PodResourceTest : public PodRuntimeTest {
 protected:
  v1::PodConfig Limited(const std::string& id) {
    v1::PodConfig config = Config(id);
    config.mutable_containers(0)->mutable_resources()->set_memory_limit_bytes(64 << 20);
    config.mutable_containers(0)->mutable_resources()->set_pids_limit(10);
    return config;
  }

  // The limits as the guest has them.
  void ExpectLimits(const std::string& id, uint64_t memory, uint64_t pids) {
    const absl::StatusOr<v1::ContainerStats> stats = ContainerStats(id);
    ASSERT_TRUE(stats.ok()) << stats.status();
    EXPECT_EQ(stats->memory_limit_bytes(), memory);
    EXPECT_EQ(stats->pids_limit(), pids);
  }

  static v1::ContainerResources Pids(int64_t limit) {
    v1::ContainerResources change;
    change.set_pids_limit(limit);
    return change;
  }
};

TEST_F(PodResourceTest, LimitsHoldFromTheStartAndAreChanged) {
  ASSERT_TRUE(Run(Limited("p")).ok());
  ExpectLimits("p", 64 << 20, 10);
  const absl::StatusOr<v1::Container> updated = UpdateContainer("p", Pids(20));
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(updated->config().resources().pids_limit(), 20);
  EXPECT_EQ(updated->config().resources().memory_limit_bytes(), 64 << 20) << "what was not named stays";
  ExpectLimits("p", 64 << 20, 20);
  ASSERT_TRUE(UpdateContainer("p", Pids(-1)).ok());
  ExpectLimits("p", 64 << 20, 0);
}

TEST_F(PodResourceTest, ChangedLimitsOutliveTheContainerTheMachineAndTheDaemon) {
  ASSERT_TRUE(Run(Limited("p")).ok());
  ASSERT_TRUE(UpdateContainer("p", Pids(20)).ok());
  ASSERT_TRUE(StopContainer("p", "main").ok());
  ASSERT_TRUE(StartContainer("p", "main").ok());
  ExpectLimits("p", 64 << 20, 20);
  Restart();
  EXPECT_EQ(Get("p").containers(0).config().resources().pids_limit(), 20);
  ASSERT_TRUE(Stop("p").ok());
  ASSERT_TRUE(Start("p").ok());
  ExpectLimits("p", 64 << 20, 20);
}

TEST_F(PodResourceTest, ASizeThatIsTooSmallIsToldOfTheFieldThatItIsIn) {
  v1::PodConfig config = Config("p");
  config.mutable_resources()->set_memory_mib(20);
  const absl::Status little = Run(config).status();
  EXPECT_EQ(DetailOf(little)->metadata["field"], "config.resources.memory_mib") << little;
  EXPECT_EQ(little.message(),
            "`config.resources.memory_mib`: 20 MiB are too little for the guest to boot; give it 32 MiB or more");
  config.clear_resources();
  config.mutable_hypervisor_config()->set_default_memory_mib(20);
  EXPECT_EQ(DetailOf(Run(config).status())->metadata["field"], "hypervisor_config.default_memory_mib");
}

TEST_F(PodResourceTest, ARefusedChangeLeavesEverythingAsItWas) {
  ASSERT_TRUE(Run(Limited("p")).ok());
  agent().FailNth("UpdateResources", 1, absl::InternalError("the kernel says no"));
  const absl::StatusOr<v1::Container> refused = UpdateContainer("p", Pids(20));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("the kernel says no"));
  EXPECT_EQ(Get("p").containers(0).config().resources().pids_limit(), 10);
  ExpectLimits("p", 64 << 20, 10);
  Restart();
  EXPECT_EQ(Get("p").containers(0).config().resources().pids_limit(), 10);
}

TEST_F(PodResourceTest, AMachineGetsItsSizeAndKeepsItOverTheDaemon) {
  ASSERT_TRUE(Run(Limited("p")).ok());
  const absl::StatusOr<v1::Pod> grown = Update("p", 2, 192);
  ASSERT_TRUE(grown.ok()) << grown.status();
  EXPECT_EQ(grown->vm().vcpus(), 2u);
  EXPECT_EQ(grown->vm().memory_mib(), 192u);
  EXPECT_EQ(grown->config().resources().vcpus(), 2u);
  Restart();
  EXPECT_EQ(Get("p").vm().memory_mib(), 192u);
  const absl::StatusOr<v1::Pod> less = Update("p", 1, 0);
  ASSERT_TRUE(less.ok()) << less.status();
  EXPECT_EQ(less->vm().vcpus(), 1u) << "the guest does without the other";
  EXPECT_EQ(less->vm().memory_mib(), 192u);
  ASSERT_TRUE(Stop("p").ok());
  ASSERT_TRUE(Update("p", 3, 0).ok()) << "from its next start on";
  ASSERT_TRUE(Start("p").ok());
  EXPECT_EQ(Get("p").vm().vcpus(), 3u);
}

TEST_F(PodResourceTest, AResizeThatFailsInTheGuestIsUndone) {
  ASSERT_TRUE(Run(Limited("p")).ok());
  agent().FailNth("SetCpus", 1, absl::InternalError("no such CPU"));
  const absl::Status failed = Update("p", 2, 192).status();
  EXPECT_THAT(std::string(failed.message()), HasSubstr("no such CPU"));
  EXPECT_EQ(Get("p").config().hypervisor_config().default_vcpus(), 1u);
  EXPECT_EQ(Get("p").config().hypervisor_config().default_memory_mib(), 128u);
  hypervisor().FailNth("Resize", 1, absl::InternalError("no memory"));
  EXPECT_THAT(std::string(Update("p", 0, 256).status().message()), HasSubstr("no memory"));
  EXPECT_EQ(Get("p").config().hypervisor_config().default_memory_mib(), 128u);
  EXPECT_EQ(Update("p", 0, 0).status().code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(Pause("p").ok());
  EXPECT_EQ(ReasonOf(Update("p", 2, 0).status()), v1::ERROR_REASON_WRONG_STATE);
}

TEST_F(PodResourceTest, SaysWhatIsWrongWithAChange) {
  ASSERT_TRUE(Create(Limited("p")).ok());
  EXPECT_TRUE(UpdateContainer("p", Pids(20)).ok()) << "ready";
  EXPECT_EQ(UpdateContainer("p", {}).status().code(), absl::StatusCode::kInvalidArgument) << "of nothing";
  v1::ContainerResources change;
  change.set_memory_reservation_bytes(128 << 20);
  EXPECT_THAT(std::string(UpdateContainer("p", change).status().message()), HasSubstr("memory_limit_bytes"))
      << "right by itself, wrong beside the limit";
  ASSERT_TRUE(Start("p").ok());
  ASSERT_TRUE(Kill("p", SIGKILL).ok());
  ASSERT_TRUE(Wait("p").ok());
  ASSERT_TRUE(Stop("p").ok());
  EXPECT_EQ(ReasonOf(UpdateContainer("p", Pids(5)).status()), v1::ERROR_REASON_WRONG_STATE);
  EXPECT_EQ(ReasonOf(UpdateContainer("q", Pids(5)).status()), v1::ERROR_REASON_POD_NOT_FOUND);
}

TEST_F(PodResourceTest, ARepeatedRequestIsDoneOnce) {
  ASSERT_TRUE(Run(Limited("p")).ok());
  ASSERT_TRUE(UpdateContainer("p", Pids(20), "r1").ok());
  ASSERT_TRUE(UpdateContainer("p", Pids(30), "r2").ok());
  ASSERT_TRUE(UpdateContainer("p", Pids(20), "r1").ok());
  ExpectLimits("p", 64 << 20, 30);
  EXPECT_EQ(ReasonOf(UpdateContainer("p", Pids(40), "r1").status()), v1::ERROR_REASON_REQUEST_ID_REUSED);
}

TEST_F(PodResourceTest, ListsProcessesAndTellsWhatIsUsed) {
  ASSERT_TRUE(Run(Config("p")).ok());
  const absl::StatusOr<ExecResult> exec = Exec("p", {"sleep"});
  ASSERT_TRUE(exec.ok()) << exec.status();
  const absl::StatusOr<std::vector<v1::ProcessInfo>> processes = ListProcesses("p");
  ASSERT_TRUE(processes.ok()) << processes.status();
  EXPECT_THAT(*processes, SizeIs(2));
  EXPECT_EQ(processes->back().process_id(), exec->process_id);
  const absl::StatusOr<v1::PodStats> stats = PodStats("p");
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(stats->pod_id(), "p");
  EXPECT_TRUE(stats->has_guest());
  ASSERT_THAT(stats->containers(), SizeIs(1));
  EXPECT_EQ(stats->containers(0).pids(), 2u);
}

TEST_F(PodResourceTest, PodStatsDoWithoutAGuestThatDoesNotAnswer) {
  ASSERT_TRUE(Run(Config("p")).ok());
  agent().FailNth("GetUsage", 1, absl::UnavailableError("no answer"));
  absl::StatusOr<v1::PodStats> stats = PodStats("p");
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_FALSE(stats->has_guest());
  ASSERT_TRUE(Pause("p").ok());
  stats = PodStats("p");
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_FALSE(stats->has_guest());
  EXPECT_EQ(ReasonOf(ContainerStats("p").status()), v1::ERROR_REASON_WRONG_STATE);
  EXPECT_EQ(ReasonOf(ListProcesses("p").status()), v1::ERROR_REASON_WRONG_STATE);
  ASSERT_TRUE(Stop("p").ok());
  EXPECT_EQ(ReasonOf(PodStats("p").status()), v1::ERROR_REASON_WRONG_STATE);
}

TEST_F(PodResourceTest, TellsOfProcessesThatWereEndedForWantOfMemory) {
  const auto events = Events();
  ASSERT_TRUE(Run(Config("p", "hog")).ok());
  const absl::StatusOr<v1::ExitStatus> exit = Wait("p");
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(exit->code(), 128 + SIGKILL);
  EXPECT_TRUE(exit->oom_killed());
  const v1::Event event = AwaitEvent(*events, v1::EVENT_TYPE_CONTAINER_OOM);
  EXPECT_EQ(event.container_id(), "main");
  EXPECT_THAT(event.reason(), HasSubstr("1 process ended for want of memory"));
  Restart();
  EXPECT_TRUE(Get("p").containers(0).exit_status().oom_killed()) << "it is on record";
  EXPECT_THAT(Get("p").containers(0).reason(), HasSubstr("OUT_OF_MEMORY"));
}

TEST_F(PodResourceTest, TellsOfMemoryPressureNotTooOften) {
  ASSERT_TRUE(Run(Config("p")).ok());
  const auto events = Events();
  agent().TellMemoryPressure("p", 12.34);
  agent().TellMemoryPressure("p", 55);
  EXPECT_THAT(AwaitEvent(*events, v1::EVENT_TYPE_POD_MEMORY_PRESSURE).reason(), HasSubstr("12.3 %"));
  ASSERT_TRUE(Stop("p").ok());
  while (true) {
    auto event = Await<std::shared_ptr<const v1::Event>>([&](auto done) { events->Next(done); });
    ASSERT_TRUE(event.ok()) << event.status();
    EXPECT_NE((*event)->type(), v1::EVENT_TYPE_POD_MEMORY_PRESSURE) << "within ten seconds";
    if ((*event)->type() == v1::EVENT_TYPE_POD_STOPPED) break;
  }
}

TEST_F(PodResourceTest, AResumedGuestGetsTheTime) {
  ASSERT_TRUE(Run(Config("p")).ok());
  ASSERT_TRUE(Pause("p").ok());
  EXPECT_THAT(agent().calls(), Not(Contains("SetClock p")));
  agent().FailNth("SetClock", 1, absl::UnavailableError("no answer"));
  ASSERT_TRUE(Resume("p").ok()) << "which is no reason not to run";
  EXPECT_THAT(agent().calls(), Contains("SetClock p"));
}

class SilentGuestTest : public PodResourceTest {
 protected:
  SilentGuestTest() {
    options_.heartbeat_interval = absl::Milliseconds(16);
    options_.heartbeat_timeout = absl::Milliseconds(48);
    options_.metrics = &metrics_;
    Restart();
  }
  // Before it, for the runtime tells them to the end.
  ~SilentGuestTest() override { runtime_.reset(); }

  RecordedMetrics metrics_;
};

TEST_F(SilentGuestTest, APodWhoseAgentIsSilentFailsAndHoldsNothing) {
  ASSERT_TRUE(Run(Config("well")).ok());
  ASSERT_TRUE(Run(Config("sick")).ok());
  const auto events = Events();
  agent().SetAnswersPings("sick", false);
  EXPECT_THAT(AwaitEvent(*events, v1::EVENT_TYPE_POD_FAILED).reason(), HasSubstr("no sign of life for 48ms"));
  EXPECT_EQ(Get("sick").state(), v1::POD_STATE_FAILED);
  EXPECT_THAT(Get("sick").reason(), HasSubstr("no sign of life"));
  EXPECT_THAT(hypervisor().live_machines(), SizeIs(1));
  EXPECT_EQ(Get("well").state(), v1::POD_STATE_RUNNING);
  EXPECT_EQ(metrics_.guests_silent(), 1);
  agent().SetAnswersPings("sick", true);
  ASSERT_TRUE(Stop("sick").ok());
  EXPECT_TRUE(Start("sick").ok()) << "a new life, with a new agent";
}

TEST_F(SilentGuestTest, APausedPodIsLeftInPeace) {
  ASSERT_TRUE(Run(Config("p")).ok());
  ASSERT_TRUE(Run(Config("witness")).ok());
  ASSERT_TRUE(Pause("p").ok());
  agent().SetAnswersPings("p", false);
  // Another that is found silent meanwhile shows that there was time enough: they take turns with it.
  const auto events = Events();
  agent().SetAnswersPings("witness", false);
  AwaitEvent(*events, v1::EVENT_TYPE_POD_FAILED);
  EXPECT_EQ(Get("p").state(), v1::POD_STATE_PAUSED);
  agent().SetAnswersPings("p", true);
  ASSERT_TRUE(Resume("p").ok());
  EXPECT_EQ(Get("p").state(), v1::POD_STATE_RUNNING);
}

}  // namespace
}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/pod/testing/pod_runtime_fixture.h"

namespace vcd {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class PodRequestTest : public PodRuntimeTest {
 protected:
  int CountCalls(const std::string& call) {
    const std::vector<std::string> calls = hypervisor().calls();
    return static_cast<int>(std::count(calls.begin(), calls.end(), call));
  }
};

TEST_F(PodRequestTest, ARepeatedCreationIsTheSamePod) {
  const absl::StatusOr<v1::Pod> first = Create(Config("web"), "r1");
  const absl::StatusOr<v1::Pod> second = Create(Config("web"), "r1");
  ASSERT_TRUE(first.ok() && second.ok()) << second.status();
  EXPECT_EQ(first->created_at().nanos(), second->created_at().nanos());
  EXPECT_EQ(CountCalls("Boot web"), 1);
  EXPECT_EQ(ReasonOf(Create(Config("web"), "r2").status()), v1::ERROR_REASON_POD_EXISTS);
  EXPECT_EQ(ReasonOf(Create(Config("web")).status()), v1::ERROR_REASON_POD_EXISTS);
}

TEST_F(PodRequestTest, ACreationThatLeavesTheIdOpenFindsItsPodAgain) {
  const absl::StatusOr<v1::Pod> first = Create(Config(""), "r1");
  ASSERT_TRUE(first.ok()) << first.status();
  Restart();
  const absl::StatusOr<v1::Pod> second = Create(Config(""), "r1");
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(first->id(), second->id());
  EXPECT_EQ(runtime_->ListPods().size(), 1u);
}

TEST_F(PodRequestTest, ARepetitionWaitsForTheFirst) {
  agent().HangNth("Connect", 1);
  Completion<v1::Pod> first, second;
  runtime_->CreatePod(Config("web"), Soon("r1"), [first](absl::StatusOr<v1::Pod> pod) { first.Set(std::move(pod)); });
  ASSERT_TRUE(agent().WaitUntilHanging("Connect"));
  runtime_->CreatePod(Config("web"), Soon("r1"), [second](absl::StatusOr<v1::Pod> pod) { second.Set(std::move(pod)); });
  EXPECT_FALSE(second.done());
  ASSERT_TRUE(Delete("web", /*force=*/true).ok());
  EXPECT_EQ(first.Wait({Soon().deadline, nullptr}, "first").status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(second.Wait({Soon().deadline, nullptr}, "second").status().code(), absl::StatusCode::kAborted);
  // A failure is nothing to remember.
  EXPECT_TRUE(Create(Config("web"), "r1").ok());
}

TEST_F(PodRequestTest, AnIdIsOfOneRequestOnly) {
  ASSERT_TRUE(Create(Config("web"), "r1").ok());
  EXPECT_EQ(ReasonOf(Start("web", "r1").status()), v1::ERROR_REASON_REQUEST_ID_REUSED);
  v1::PodConfig other = Config("web");
  other.set_hostname("other");
  EXPECT_EQ(ReasonOf(Create(other, "r1").status()), v1::ERROR_REASON_REQUEST_ID_REUSED);
  EXPECT_EQ(ReasonOf(Start("web", "with blanks").status()), v1::ERROR_REASON_INVALID_FIELD);
}

TEST_F(PodRequestTest, EveryMutationOfAPodMayBeRepeatedAlsoAfterARestart) {
  ASSERT_TRUE(Create(Config("web"), "create").ok());
  for (const bool restart : {false, true}) {
    SCOPED_TRACE(restart);
    if (restart) Restart();
    ASSERT_TRUE(Create(Config("web"), "create").ok());
    ASSERT_TRUE(Start("web", "start").ok());
    EXPECT_EQ(Start("web", "start")->state(), v1::POD_STATE_RUNNING);
    EXPECT_TRUE(Await<v1::Pod>([&](auto done) { runtime_->PausePod("web", Soon("pause"), done); }).ok());
    EXPECT_TRUE(Await<v1::Pod>([&](auto done) { runtime_->PausePod("web", Soon("pause"), done); }).ok());
    EXPECT_TRUE(Await<v1::Pod>([&](auto done) { runtime_->ResumePod("web", Soon("resume"), done); }).ok());
    EXPECT_TRUE(Await<v1::Pod>([&](auto done) { runtime_->ResumePod("web", Soon("resume"), done); }).ok());
  }
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_RUNNING);
  ASSERT_TRUE(Stop("web", false, "stop").ok());
  Restart();
  ASSERT_TRUE(Start("web", "start-again").ok());
  // The stop was done, before the start: it must not end what runs now.
  EXPECT_EQ(Stop("web", false, "stop")->state(), v1::POD_STATE_RUNNING);
}

TEST_F(PodRequestTest, ARepeatedExecIsTheSameProcess) {
  ASSERT_TRUE(Run(Config("web")).ok());
  const absl::StatusOr<ExecResult> first = Exec("web", {"cat"}, "r1");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(Exec("web", {"cat"}, "r1")->process_id, first->process_id);
  Restart();
  const absl::StatusOr<ExecResult> after = Exec("web", {"cat"}, "r1");
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(after->process_id, first->process_id);
  EXPECT_EQ(after->guest_pid, first->guest_pid);
}

TEST_F(PodRequestTest, ContainersToo) {
  ASSERT_TRUE(Run(Config("web")).ok());
  v1::ContainerConfig config = Config("x").containers(0);
  config.set_id("");
  const auto create = [&] {
    return Await<v1::Container>([&](auto done) { runtime_->CreateContainer("web", config, Soon("create"), done); });
  };
  const absl::StatusOr<v1::Container> made = create();
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(create()->id(), made->id());
  EXPECT_EQ(Get("web").containers_size(), 2);
  for (int again = 0; again < 2; ++again) {
    EXPECT_TRUE(Await<v1::Container>([&](auto done) {
                  runtime_->StartContainer("web", made->id(), Soon("start"), done);
                }).ok());
  }
  EXPECT_EQ(create()->state(), v1::CONTAINER_STATE_RUNNING);
  for (int again = 0; again < 2; ++again) {
    EXPECT_TRUE(Await<v1::Container>([&](auto done) {
                  runtime_->StopContainer("web", made->id(), {.grace = absl::Seconds(20)}, Soon("stop"), done);
                }).ok());
  }
  for (int again = 0; again < 2; ++again) {
    EXPECT_TRUE(
        AwaitDone([&](auto done) { runtime_->DeleteContainer("web", made->id(), false, Soon("delete"), done); }).ok());
  }
  EXPECT_EQ(Get("web").containers_size(), 1);
}

TEST_F(PodRequestTest, ASignalGetsThroughWhileAStopHoldsThePod) {
  ASSERT_TRUE(Run(Config("web", "deaf")).ok());
  agent().HangNth("Signal", 1);
  Completion<v1::Container> stopped;
  runtime_->StopContainer("web", "main", {.grace = absl::Seconds(20)}, Soon(),
                          [stopped](absl::StatusOr<v1::Container> container) { stopped.Set(std::move(container)); });
  ASSERT_TRUE(agent().WaitUntilHanging("Signal"));
  EXPECT_TRUE(Kill("web", SIGKILL, "kill").ok());
  EXPECT_TRUE(Wait("web").ok());
  (void)Delete("web", /*force=*/true);
  EXPECT_FALSE(stopped.Wait({Soon().deadline, nullptr}, "stop").ok());
}

TEST_F(PodRequestTest, AForcedStopHurriesAnOrderlyOneAlong) {
  ASSERT_TRUE(Run(Config("web", "deaf")).ok());
  agent().HangNth("Signal", 1);
  Completion<v1::Pod> polite;
  runtime_->StopPod("web", {.grace = absl::Hours(1)}, Soon(),
                    [polite](absl::StatusOr<v1::Pod> pod) { polite.Set(std::move(pod)); });
  ASSERT_TRUE(agent().WaitUntilHanging("Signal"));
  EXPECT_TRUE(Delete("web", /*force=*/true).ok());
  EXPECT_TRUE(polite.Wait({Soon().deadline, nullptr}, "the polite stop").ok());
  ExpectNothingLeft();
}

TEST_F(PodRequestTest, AStopOfAPausedPodEndsItsContainersInOrder) {
  ASSERT_TRUE(Run(Config("web")).ok());
  ASSERT_TRUE(Pause("web").ok());
  Restart();
  ASSERT_TRUE(Stop("web").ok());
  EXPECT_THAT(agent().calls(), Contains("Signal web main 15"));
  EXPECT_EQ(Get("web").containers(0).exit_status().code(), 143);
}

TEST_F(PodRequestTest, ARepeatedSignalIsSentOnce) {
  ASSERT_TRUE(Run(Config("web")).ok());
  ASSERT_TRUE(Kill("web", SIGUSR1, "usr1").ok());
  ASSERT_TRUE(Kill("web", SIGUSR1, "usr1").ok());
  const std::vector<std::string> calls = agent().calls();
  EXPECT_EQ(std::count(calls.begin(), calls.end(), "Signal web main 10"), 1);
}

TEST_F(PodRequestTest, AReadyPodStartsWhileNoPlaceToBootIsFree) {
  options_.max_parallel_boots = 1;
  Restart();
  ASSERT_TRUE(Create(Config("ready")).ok());
  agent().HangNth("Connect", 1);
  Completion<v1::Pod> booting;
  runtime_->CreatePod(Config("boots"), Soon(), [booting](absl::StatusOr<v1::Pod> pod) { booting.Set(std::move(pod)); });
  ASSERT_TRUE(agent().WaitUntilHanging("Connect"));
  EXPECT_EQ(Start("ready")->state(), v1::POD_STATE_RUNNING);
  EXPECT_TRUE(Delete("boots", /*force=*/true).ok());
  EXPECT_FALSE(booting.Wait({Soon().deadline, nullptr}, "creation").ok());
}

TEST_F(PodRequestTest, APodThatDoesNotFitTheHostIsRefusedAndNothingIsLeft) {
  options_.host_memory = [] { return HostMemory{uint64_t{1000} << 20, uint64_t{500} << 20}; };
  options_.memory_reserve_bytes = uint64_t{100} << 20;
  Restart();
  v1::PodConfig config = Config("web");
  config.mutable_hypervisor_config()->set_default_memory_mib(401);
  const absl::Status now = Create(config).status();
  EXPECT_EQ(now.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(now.message(), HasSubstr("pod web: a machine of 401 MiB does not fit"));
  ExpectNothingLeft();
  config.mutable_hypervisor_config()->set_default_memory_mib(901);
  EXPECT_THAT(Run(config).status().message(), HasSubstr("pod web: a machine of 901 MiB never fits"));
  EXPECT_THAT(hypervisor().calls(), Not(Contains("Boot web")));
  ExpectNothingLeft();
  config.mutable_hypervisor_config()->set_default_memory_mib(400);
  EXPECT_TRUE(Create(config).ok());
}

TEST_F(PodRequestTest, AStoppedPodThatDoesNotFitTheHostStaysStopped) {
  auto available = std::make_shared<std::atomic<uint64_t>>(uint64_t{500} << 20);
  options_.host_memory = [available] { return HostMemory{uint64_t{1000} << 20, available->load()}; };
  Restart();
  v1::PodConfig config = Config("web");
  config.mutable_hypervisor_config()->set_default_memory_mib(128);
  ASSERT_TRUE(Run(config).ok());
  ASSERT_TRUE(Stop("web").ok());
  available->store(uint64_t{300} << 20);
  EXPECT_EQ(Start("web", "start").status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_STOPPED);
  available->store(uint64_t{500} << 20);
  EXPECT_EQ(Start("web", "start")->state(), v1::POD_STATE_RUNNING);
}

// As of one whose files have digests, and are large.
TEST_F(PodRequestTest, ACreationLooksAtFilesForAsLongAsItsCallerWaits) {
  hypervisor().HangNth("Resolve", 1);
  Completion<v1::Pod> created;
  runtime_->CreatePod(Config("web"), {absl::Now() + absl::Milliseconds(50), ""},
                      [created](absl::StatusOr<v1::Pod> pod) { created.Set(std::move(pod)); });
  EXPECT_EQ(created.Wait({Soon().deadline, nullptr}, "creation").status().code(), absl::StatusCode::kDeadlineExceeded);
  hypervisor().HangNth("Resolve", 1);
  Completion<v1::Pod> leaving;
  runtime_->CreatePod(Config("web"), {absl::InfiniteFuture(), ""},
                      [leaving](absl::StatusOr<v1::Pod> pod) { leaving.Set(std::move(pod)); });
  ASSERT_TRUE(hypervisor().WaitUntilHanging("Resolve"));
  runtime_->BeginShutdown();
  EXPECT_EQ(leaving.Wait({Soon().deadline, nullptr}, "creation").status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(PodRequestTest, ForcedDeletionEndsWhatWaitsForAPlaceToBoot) {
  options_.max_parallel_boots = 1;
  Restart();
  agent().HangNth("Connect", 1);
  Completion<v1::Pod> booting, waiting;
  runtime_->CreatePod(Config("boots"), Soon(), [booting](absl::StatusOr<v1::Pod> pod) { booting.Set(std::move(pod)); });
  ASSERT_TRUE(agent().WaitUntilHanging("Connect"));
  runtime_->CreatePod(Config("waits"), Soon(), [waiting](absl::StatusOr<v1::Pod> pod) { waiting.Set(std::move(pod)); });
  while (!runtime_->GetPod("waits").ok()) std::this_thread::yield();
  const absl::StatusOr<Released> released = Delete("waits", /*force=*/true);
  EXPECT_TRUE(released.ok()) << released.status();
  EXPECT_EQ(waiting.Wait({Soon().deadline, nullptr}, "creation").status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(CountCalls("Boot waits"), 0);
  EXPECT_TRUE(Delete("boots", /*force=*/true).ok());
  EXPECT_FALSE(booting.Wait({Soon().deadline, nullptr}, "creation").ok());
  ExpectNothingLeft();
}

// Whoever comes for a place may be let in by another thread, and its pod be there, before it has looked itself.
TEST_F(PodRequestTest, TheDaemonsEndWaitsForWhoStillLooksForAPlaceToBoot) {
  struct Scene {
    std::atomic<int> calls{0};
    Completion<bool> looks, ending, gone, outlived;
  };
  const auto scene = std::make_shared<Scene>();
  options_.host_memory = [scene]() -> std::optional<HostMemory> {
    // The daemon that has this may be gone meanwhile.
    const std::shared_ptr<Scene> held = scene;
    // Of the first pod's thread, the first time before it waits in the line.
    if (++held->calls == 2) {
      held->looks.Set(true);
      held->ending.Wait({Soon().deadline, nullptr}, "the daemon's end").IgnoreError();
      held->outlived.Set(held->gone.Wait({absl::Now() + absl::Milliseconds(200), nullptr}, "that it is gone").ok());
    }
    return HostMemory{uint64_t{1000} << 20, uint64_t{1000} << 20};
  };
  Restart();
  Completion<v1::Pod> first;
  runtime_->CreatePod(Config("first"), Soon(), [first](absl::StatusOr<v1::Pod> pod) { first.Set(std::move(pod)); });
  ASSERT_TRUE(scene->looks.Wait({Soon().deadline, nullptr}, "the first pod's look").ok());
  EXPECT_TRUE(Create(Config("second")).ok());
  EXPECT_TRUE(first.Wait({Soon().deadline, nullptr}, "creation").ok());
  scene->ending.Set(true);
  runtime_.reset();
  scene->gone.Set(true);
  const absl::StatusOr<bool> outlived = scene->outlived.Wait({Soon().deadline, nullptr}, "the end of the look");
  ASSERT_TRUE(outlived.ok()) << outlived.status();
  EXPECT_FALSE(*outlived);
}

}  // namespace
}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
// Hooks that come before the boot, and the line of those that boot.
#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/hook/testing/fake_hook_runner.h"
#include "core/os/completion.h"
#include "core/os/host_memory.h"
#include "core/os/worker_pool.h"
#include "core/pod/testing/pod_runtime_fixture.h"

namespace vcd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// There is one place to boot.
class PodHookLineTest : public PodRuntimeTest {
 protected:
  PodHookLineTest() {
    options_.max_parallel_boots = 1;
    options_.hooks = &hooks_;
    options_.hook_limits = {absl::Seconds(30), absl::Seconds(300)};
    Restart();
  }
  ~PodHookLineTest() override { runtime_.reset(); }

  v1::PodConfig WithHooks(const std::string& id = "web") {
    v1::PodConfig config = Config(id);
    config.mutable_hooks()->add_prestart()->set_path("/p/prestart");
    config.mutable_hooks()->add_create_runtime()->set_path("/p/create_runtime");
    config.mutable_hooks()->add_poststop()->set_path("/p/poststop");
    return config;
  }

  using Made = Completion<v1::Pod>;
  Made Begin(const v1::PodConfig& config) {
    Made made;
    runtime_->RunPod(config, Soon(), [made](absl::StatusOr<v1::Pod> pod) { made.Set(std::move(pod)); });
    return made;
  }
  static absl::StatusOr<v1::Pod> End(Made& made) { return made.Wait({Soon().deadline, nullptr}, "creation"); }
  // For a pod whose guest does not answer.
  Made TakeThePlace() {
    agent().HangNth("Connect", 1);
    Made booting = Begin(Config("booting"));
    EXPECT_TRUE(agent().WaitUntilHanging("Connect"));
    return booting;
  }
  void GiveThePlaceBack(Made& booting) {
    EXPECT_TRUE(Delete("booting", /*force=*/true).ok());
    EXPECT_FALSE(End(booting).ok());
  }
  void AwaitInLine(size_t pods) {
    const absl::Time until = Soon().deadline;
    while (runtime_->load().boots.waiting != pods && absl::Now() < until) std::this_thread::yield();
    EXPECT_EQ(runtime_->load().boots.waiting, pods);
  }

  FakeHookRunner hooks_;
};

TEST_F(PodHookLineTest, HooksHoldNoPlace) {
  hooks_.Hang("/p/prestart");
  Made hanging = Begin(WithHooks());
  ASSERT_TRUE(hooks_.AwaitRun("/p/prestart"));
  EXPECT_EQ(runtime_->load().boots.taken, 0u);
  EXPECT_TRUE(Run(Config("other")).ok());
  EXPECT_TRUE(Delete("web", /*force=*/true).ok());
  EXPECT_EQ(ReasonOf(End(hanging).status()), v1::ERROR_REASON_PREEMPTED);
  EXPECT_TRUE(Delete("other", /*force=*/true).ok());
  ExpectNothingLeft();
}

TEST_F(PodHookLineTest, AfterTheHooksAPodWaitsForItsPlace) {
  Made booting = TakeThePlace();
  Made made = Begin(WithHooks());
  ASSERT_TRUE(hooks_.AwaitRun("/p/create_runtime"));
  AwaitInLine(1);
  EXPECT_THAT(hypervisor().live_machines(), ElementsAre("booting"));
  EXPECT_EQ(network().calls().back(), "Open web");
  GiveThePlaceBack(booting);
  EXPECT_TRUE(End(made).ok());
  const std::vector<std::string> runs = hooks_.TakeRuns();
  EXPECT_EQ(std::count(runs.begin(), runs.end(), "prestart /p/prestart"), 1);
  EXPECT_TRUE(Get("web").boot_timeline().boot_queue_seconds() > 0);
  EXPECT_TRUE(Delete("web", /*force=*/true).ok());
  ExpectNothingLeft();
}

TEST_F(PodHookLineTest, APodThatStartsAgainDoesToo) {
  ASSERT_TRUE(Run(WithHooks()).ok());
  ASSERT_TRUE(Stop("web").ok());
  hooks_.TakeRuns();
  Made booting = TakeThePlace();
  Made started;
  runtime_->StartPod("web", Soon("start"), [started](absl::StatusOr<v1::Pod> pod) { started.Set(std::move(pod)); });
  AwaitInLine(1);
  EXPECT_THAT(hooks_.TakeRuns(), ElementsAre("prestart /p/prestart", "create_runtime /p/create_runtime"));
  GiveThePlaceBack(booting);
  EXPECT_EQ(End(started)->state(), v1::POD_STATE_RUNNING);
  ASSERT_TRUE(Stop("web").ok());
  hooks_.TakeRuns();
  EXPECT_TRUE(Start("web", "start").ok()) << "it was done";
  EXPECT_THAT(hooks_.TakeRuns(), IsEmpty());
}

TEST_F(PodHookLineTest, WhoEndsInLineIsUndoneAndItsPoststopRuns) {
  Made booting = TakeThePlace();
  Made made = Begin(WithHooks());
  AwaitInLine(1);
  EXPECT_TRUE(Delete("web", /*force=*/true).ok());
  EXPECT_EQ(ReasonOf(End(made).status()), v1::ERROR_REASON_PREEMPTED);
  EXPECT_THAT(hooks_.TakeRuns(),
              ElementsAre("prestart /p/prestart", "create_runtime /p/create_runtime", "poststop /p/poststop"));
  GiveThePlaceBack(booting);
  ExpectNothingLeft();
}

TEST_F(PodHookLineTest, ADaemonThatEndsUndoesWhatIsInLine) {
  ASSERT_TRUE(Run(WithHooks("again")).ok());
  ASSERT_TRUE(Stop("again").ok());
  hooks_.TakeRuns();
  Made booting = TakeThePlace();
  Made made = Begin(WithHooks());
  Made started;
  AwaitInLine(1);
  runtime_->StartPod("again", Soon(), [started](absl::StatusOr<v1::Pod> pod) { started.Set(std::move(pod)); });
  AwaitInLine(2);
  runtime_->BeginShutdown();
  EXPECT_FALSE(End(made).ok());
  EXPECT_FALSE(End(started).ok());
  EXPECT_FALSE(End(booting).ok());
  Restart();
  const std::vector<std::string> runs = hooks_.TakeRuns();
  EXPECT_GE(std::count(runs.begin(), runs.end(), "poststop /p/poststop"), 2);
  EXPECT_EQ(Get("again").state(), v1::POD_STATE_STOPPED);
  ASSERT_TRUE(Delete("again").ok());
  ExpectNothingLeft();
}

TEST_F(PodHookLineTest, WhatCannotStartIsToldBeforeItsHooksRun) {
  options_.host_memory = [] { return HostMemory{uint64_t{1000} << 20, uint64_t{300} << 20}; };
  options_.memory_reserve_bytes = uint64_t{100} << 20;
  Restart();
  v1::PodConfig config = WithHooks();
  for (const uint32_t mib : {201, 901}) {
    config.mutable_hypervisor_config()->set_default_memory_mib(mib);
    EXPECT_EQ(Run(config).status().code(), absl::StatusCode::kResourceExhausted) << mib;
  }
  EXPECT_THAT(hooks_.TakeRuns(), IsEmpty());
  EXPECT_EQ(runtime_->load().boots.refused_for_memory, 2u);
  ExpectNothingLeft();
  config.mutable_hypervisor_config()->set_default_memory_mib(200);
  const absl::StatusOr<v1::Pod> fits = Run(config);
  EXPECT_TRUE(fits.ok()) << fits.status();
}

TEST_F(PodHookLineTest, SoManyPodsRunThemAndOthersAreServed) {
  constexpr int kMost = 16;
  // As many as a daemon has.
  WorkerPool workers(64);
  runtime_.reset();
  auto opened = PodRuntime::Open(options_, backends_, filesystem_, io_, workers, events_);
  ASSERT_TRUE(opened.ok()) << opened.status();
  runtime_ = *std::move(opened);
  hooks_.Hang("/p/prestart");
  std::atomic<int> begun = 0;
  // They come in any order, and only the end of one that runs its hook makes room.
  // Of these two one has, as there are places for all but one.
  std::atomic<int> runs = 0;
  hooks_.OnRun([&](const HookCall& call) {
    if (call.kind != HookKind::kPrestart) return;
    if (call.pod_id == "web1") runs = 1;
    ++begun;
  });
  std::vector<Made> made;
  for (int i = 0; i <= kMost; ++i) {
    v1::PodConfig config = WithHooks(absl::StrCat("web", i));
    config.mutable_hooks()->clear_poststop();
    made.push_back(Begin(config));
  }
  const auto await = [&](int number) {
    const absl::Time until = Soon().deadline;
    while (begun < number && absl::Now() < until) std::this_thread::yield();
    return begun == number;
  };
  ASSERT_TRUE(await(kMost));
  EXPECT_TRUE(Run(Config("other")).ok()) << "for which no line is too long";
  EXPECT_EQ(begun, kMost);
  const int gone = runs;
  EXPECT_TRUE(Delete(absl::StrCat("web", gone), /*force=*/true).ok());
  EXPECT_TRUE(await(kMost + 1));
  for (int i = 0; i <= kMost; ++i) {
    if (i == gone) continue;
    EXPECT_TRUE(Delete(absl::StrCat("web", i), /*force=*/true).ok());
  }
  for (Made& one : made) EXPECT_FALSE(End(one).ok());
  EXPECT_TRUE(Delete("other", /*force=*/true).ok());
  ExpectNothingLeft();
  runtime_.reset();
}

}  // namespace
}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/hook/testing/fake_hook_runner.h"
#include "core/log/testing/captured_log.h"
#include "core/metric/testing/recorded_metrics.h"
#include "core/pod/testing/pod_runtime_fixture.h"

namespace vcd {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Json = nlohmann::json;

// Hooks are named after what they are: a pod's /p/prestart, a container's /c/prestart.
class PodHooksTest : public PodRuntimeTest {
 protected:
  PodHooksTest() {
    options_.hooks = &hooks_;
    options_.hook_limits = {absl::Seconds(30), absl::Seconds(300)};
    options_.metrics = &metrics_;
    AgentCapabilities capabilities = agent().capabilities();
    capabilities.start_hooks = true;
    agent().set_capabilities(capabilities);
    Restart();
  }
  ~PodHooksTest() override { runtime_.reset(); }

  static void AddAll(const std::string& directory, v1::Hooks& hooks) {
    hooks.add_prestart()->set_path(directory + "/prestart");
    hooks.add_create_runtime()->set_path(directory + "/create_runtime");
    hooks.add_create_container()->set_path(directory + "/create_container");
    hooks.add_start_container()->set_path(directory + "/start_container");
    hooks.add_poststart()->set_path(directory + "/poststart");
    hooks.add_poststop()->set_path(directory + "/poststop");
  }

  // A pod and its container with one hook of each kind.
  v1::PodConfig WithHooks(const std::string& id = "web") {
    v1::PodConfig config = Config(id);
    config.mutable_network_config()->set_netns_path("/run/netns/web");
    (*config.mutable_annotations())["colour"] = "blue";
    AddAll("/p", *config.mutable_hooks());
    AddAll("/c", *config.mutable_containers(0)->mutable_hooks());
    return config;
  }

  // A pod with this hook alone.
  v1::PodConfig WithPoststop(const std::string& path, uint32_t timeout_seconds = 300) {
    v1::PodConfig config = Config("web");
    v1::Hook& hook = *config.mutable_hooks()->add_poststop();
    hook.set_path(path);
    hook.set_timeout_seconds(timeout_seconds);
    return config;
  }

  // A container to be added to a pod.
  v1::ContainerConfig Second() {
    v1::ContainerConfig container = Config("x").containers(0);
    container.set_id("second");
    AddAll("/s", *container.mutable_hooks());
    return container;
  }

  Json StateOf(const std::string& path) { return Json::parse(hooks_.call(path).state); }

  // Deletes the pod with force, for a caller who waits that long, and returns how long it took.
  absl::Duration ForceAway(const std::string& id, absl::Duration patience) {
    const absl::Time began = absl::Now();
    const auto released = Await<Released>([&](auto done) {
      runtime().DeletePod(id, /*force=*/true, {absl::Now() + patience, ""}, done);
    });
    EXPECT_TRUE(released.ok()) << released.status();
    return absl::Now() - began;
  }

  RecordedMetrics metrics_;
  FakeHookRunner hooks_;
};

TEST_F(PodHooksTest, EachKindRunsInItsPlaceOfALife) {
  ASSERT_TRUE(Run(WithHooks()).ok());
  EXPECT_THAT(hooks_.TakeRuns(),
              ElementsAre("prestart /p/prestart", "create_runtime /p/create_runtime", "main: prestart /c/prestart",
                          "main: create_runtime /c/create_runtime", "main: create_container /p/create_container",
                          "main: create_container /c/create_container", "poststart /p/poststart",
                          "main: poststart /c/poststart"));
  ASSERT_TRUE(Stop("web").ok());
  EXPECT_THAT(hooks_.TakeRuns(), ElementsAre("main: poststop /c/poststop", "poststop /p/poststop"));
  // Another life.
  ASSERT_TRUE(Start("web").ok());
  EXPECT_THAT(hooks_.TakeRuns(), Contains("prestart /p/prestart"));
  ASSERT_TRUE(Stop("web").ok());
  EXPECT_THAT(hooks_.TakeRuns(), ElementsAre("main: poststop /c/poststop", "poststop /p/poststop"));
  ASSERT_TRUE(Delete("web").ok());
  EXPECT_THAT(hooks_.TakeRuns(), IsEmpty()) << "it had ended";
  ExpectNothingLeft();
}

TEST_F(PodHooksTest, TheyRunBetweenTheStepsTheyAreNamedAfter) {
  std::map<std::string, std::string> found;
  hooks_.OnRun([&](const HookCall& call) {
    const bool machine = !hypervisor().live_machines().empty();
    const bool container = machine && !agent().containers("web").empty();
    found[call.hook.path()] =
        absl::StrCat(network().attached().empty() ? "" : "network ", machine ? "machine " : "",
                     container ? "container " : "", network().calls().back() == "Attach web" ? "attached" : "");
  });
  ASSERT_TRUE(Run(WithHooks()).ok());
  ASSERT_TRUE(Stop("web").ok());
  EXPECT_EQ(found["/p/prestart"], "network ");
  EXPECT_EQ(found["/p/create_runtime"], "network ");
  EXPECT_EQ(found["/c/prestart"], "network machine attached");
  EXPECT_EQ(found["/c/create_container"], "network machine container attached");
  EXPECT_EQ(found["/p/poststart"], "network machine container attached");
  EXPECT_EQ(found["/c/poststop"], "");
  EXPECT_EQ(found["/p/poststop"], "");
}

TEST_F(PodHooksTest, TheyAreToldTheStateAndALiveProcess) {
  pid_t held = 0;
  hooks_.OnRun([&](const HookCall& call) {
    if (call.hook.path() == "/p/prestart") held = hooks_.held() == 1 ? FakeHookRunner::kFirstHeldPid : 0;
  });
  ASSERT_TRUE(Run(WithHooks()).ok());
  EXPECT_EQ(hooks_.held_netns(), "/run/netns/web");
  EXPECT_EQ(hooks_.held(), 0) << "the machine is there now";
  const Json prestart = StateOf("/p/prestart");
  EXPECT_EQ(prestart["ociVersion"], "1.0.2");
  EXPECT_EQ(prestart["id"], "web");
  EXPECT_EQ(prestart["status"], "creating");
  EXPECT_EQ(prestart["pid"], held);
  EXPECT_EQ(prestart["bundle"], options_.state_dir + "/pods/web");
  EXPECT_EQ(prestart["annotations"]["colour"], "blue");
  const int32_t vm_pid = Get("web").vm().pid();
  const Json created = StateOf("/c/create_container");
  EXPECT_EQ(created["id"], "main");
  EXPECT_EQ(created["pid"], vm_pid);
  EXPECT_EQ(created["annotations"]["vcd.pod_id"], "web");
  EXPECT_EQ(StateOf("/p/create_container")["id"], "main") << "it runs for each container";
  EXPECT_EQ(StateOf("/p/poststart")["status"], "running");
  EXPECT_EQ(StateOf("/p/poststart")["pid"], vm_pid);
  ASSERT_TRUE(Stop("web").ok());
  EXPECT_EQ(StateOf("/p/poststop")["status"], "stopped");
  EXPECT_EQ(StateOf("/p/poststop")["pid"], 0);
}

TEST_F(PodHooksTest, OnlyTwoKindsRunInThePodsNamespace) {
  ASSERT_TRUE(Run(WithHooks()).ok());
  ASSERT_TRUE(Stop("web").ok());
  for (const char* path : {"/p/prestart", "/c/prestart", "/p/create_container", "/c/create_container"}) {
    EXPECT_EQ(hooks_.call(path).netns_path, "/run/netns/web") << path;
  }
  for (const char* kind : {"create_runtime", "poststart", "poststop"}) {
    EXPECT_EQ(hooks_.call(absl::StrCat("/p/", kind)).netns_path, "") << kind;
    EXPECT_EQ(hooks_.call(absl::StrCat("/c/", kind)).netns_path, "") << kind;
  }
}

TEST_F(PodHooksTest, ThoseOfTheGuestGoThereWithTheirLimits) {
  v1::PodConfig config = WithHooks();
  config.mutable_containers(0)->mutable_hooks()->mutable_start_container(0)->set_timeout_seconds(7);
  ASSERT_TRUE(Run(config).ok());
  const GuestContainerSpec spec = agent().last_spec();
  ASSERT_EQ(spec.start_hooks.size(), 2u);
  EXPECT_EQ(spec.start_hooks[0].path(), "/p/start_container");
  EXPECT_EQ(spec.start_hooks[0].timeout_seconds(), 30u) << "the daemon's own";
  EXPECT_EQ(spec.start_hooks[1].path(), "/c/start_container");
  EXPECT_EQ(spec.start_hooks[1].timeout_seconds(), 7u);
  EXPECT_THAT(spec.hook_state, HasSubstr("\"pid\":{pid},\"id\":\"main\",\"status\":\"created\""));
}

TEST_F(PodHooksTest, AFailureUndoesTheCreationAndPoststopRuns) {
  for (const std::string path : {"/p/prestart", "/p/create_runtime", "/c/prestart", "/c/create_container"}) {
    FakeHookRunner hooks;
    options_.hooks = &hooks;
    Restart();
    hooks.Fail(path, "exited with status 1; it said: no such bridge");
    bool too_early = false;
    hooks.OnRun([&](const HookCall& call) {
      if (call.kind != HookKind::kPoststop) return;
      too_early |= !network().attached().empty() || !hypervisor().live_machines().empty();
    });
    const absl::Status status = Run(WithHooks()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << path;
    EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_HOOK_FAILED) << path;
    EXPECT_EQ(DetailOf(status)->metadata.at("hook"), path);
    EXPECT_THAT(std::string(status.message()), HasSubstr("pod web: ")) << path;
    EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("[0] (", path, "): exited with status 1")))
        << path;
    const std::vector<std::string> runs = hooks.TakeRuns();
    EXPECT_EQ(runs.back(), "poststop /p/poststop") << path;
    EXPECT_EQ(std::count(runs.begin(), runs.end(), "main: poststop /c/poststop"), path[1] == 'c' ? 1 : 0)
        << path << ": only of what had begun";
    EXPECT_FALSE(too_early) << path;
    EXPECT_EQ(hooks.held(), 0);
    ExpectNothingLeft();
    options_.hooks = &hooks_;
    runtime_.reset();
  }
}

TEST_F(PodHooksTest, PoststopDoesNotRunForWhatNeverBegan) {
  network().FailOpen(absl::UnavailableError("injected"));
  EXPECT_FALSE(Run(WithHooks()).ok());
  EXPECT_THAT(hooks_.TakeRuns(), IsEmpty());
  ExpectNothingLeft();
}

TEST_F(PodHooksTest, AStartThatFailsLeavesThePodStoppedAndItsPoststopDone) {
  ASSERT_TRUE(Run(WithHooks()).ok());
  ASSERT_TRUE(Stop("web").ok());
  hooks_.TakeRuns();
  hooks_.Fail("/c/create_runtime", "exited with status 1");
  EXPECT_EQ(ReasonOf(Start("web").status()), v1::ERROR_REASON_HOOK_FAILED);
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_STOPPED);
  EXPECT_THAT(Get("web").reason(), HasSubstr("(/c/create_runtime): exited with status 1"));
  const std::vector<std::string> runs = hooks_.TakeRuns();
  EXPECT_EQ(std::count(runs.begin(), runs.end(), "poststop /p/poststop"), 1);
  ASSERT_TRUE(Delete("web").ok());
  EXPECT_THAT(hooks_.TakeRuns(), IsEmpty());
}

TEST_F(PodHooksTest, AFailureAfterTheStartIsNoFailure) {
  hooks_.Fail("/p/poststart", "exited with status 1");
  hooks_.Fail("/c/poststop", "exited with status 1");
  ASSERT_TRUE(Run(WithHooks()).ok());
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_RUNNING);
  ASSERT_TRUE(Stop("web").ok());
  EXPECT_THAT(hooks_.TakeRuns(), Contains("poststop /p/poststop")) << "one that fails holds no other up";
}

TEST_F(PodHooksTest, AContainersHooksRunInEachOfItsLives) {
  auto events = Events();
  ASSERT_TRUE(Run(Config("web")).ok());
  ASSERT_TRUE(CreateContainer("web", Second()).ok());
  EXPECT_THAT(hooks_.TakeRuns(), ElementsAre("second: prestart /s/prestart", "second: create_runtime /s/create_runtime",
                                             "second: create_container /s/create_container"));
  ASSERT_TRUE(StartContainer("web", "second").ok());
  EXPECT_THAT(hooks_.TakeRuns(), ElementsAre("second: poststart /s/poststart"));
  agent().Exit("web", {"second", ""}, 0);
  AwaitEvent(*events, v1::EVENT_TYPE_CONTAINER_STOPPED);
  EXPECT_THAT(hooks_.TakeRuns(), IsEmpty()) << "it still has what it was given";
  ASSERT_TRUE(StartContainer("web", "second").ok());
  EXPECT_THAT(hooks_.TakeRuns(),
              ElementsAre("second: poststop /s/poststop", "second: prestart /s/prestart",
                          "second: create_runtime /s/create_runtime", "second: create_container /s/create_container",
                          "second: poststart /s/poststart"));
  ASSERT_TRUE(StopContainer("web", "second").ok());
  EXPECT_THAT(hooks_.TakeRuns(), ElementsAre("second: poststop /s/poststop"));
  ASSERT_TRUE(DeleteContainer("web", "second").ok());
  EXPECT_THAT(hooks_.TakeRuns(), IsEmpty());
}

TEST_F(PodHooksTest, DeletingAContainerRunsWhatIsDue) {
  ASSERT_TRUE(Run(Config("web")).ok());
  ASSERT_TRUE(CreateContainer("web", Second()).ok());
  hooks_.TakeRuns();
  ASSERT_TRUE(DeleteContainer("web", "second", "", /*force=*/true).ok());
  EXPECT_THAT(hooks_.TakeRuns(), ElementsAre("second: poststop /s/poststop"));
}

TEST_F(PodHooksTest, AContainerWhoseHookFailsIsNotMade) {
  ASSERT_TRUE(Run(Config("web")).ok());
  hooks_.Fail("/s/create_container", "exited with status 1");
  const absl::Status status = CreateContainer("web", Second()).status();
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_HOOK_FAILED);
  EXPECT_THAT(std::string(status.message()), HasSubstr("pod web: container second: hook create_container[0]"));
  EXPECT_THAT(hooks_.TakeRuns(), Contains("second: poststop /s/poststop"));
  EXPECT_EQ(Get("web").containers_size(), 1);
  EXPECT_THAT(agent().containers("web"), ElementsAre("main"));
}

TEST_F(PodHooksTest, AContainerThatAHookInTheGuestEndedSaysSo) {
  ASSERT_TRUE(Run(Config("web")).ok());
  ASSERT_TRUE(CreateContainer("web", Second()).ok());
  agent().FailNth("StartContainer", 1,
                  WithDetail(absl::FailedPreconditionError("hook start_container (/x): exited with status 1"),
                             {v1::ERROR_REASON_HOOK_FAILED, {}}));
  EXPECT_EQ(ReasonOf(StartContainer("web", "second").status()), v1::ERROR_REASON_HOOK_FAILED);
  EXPECT_THAT(Get("web").containers(1).reason(), HasSubstr("hook start_container (/x): exited with status 1"));
}

TEST_F(PodHooksTest, WhatThePodCannotHaveIsRefused) {
  v1::PodConfig config = WithHooks();
  config.mutable_hooks()->mutable_prestart(0)->set_timeout_seconds(301);
  EXPECT_THAT(std::string(Run(config).status().message()), HasSubstr("`config.hooks.prestart[0].timeout_seconds`"));
  AgentCapabilities capabilities = agent().capabilities();
  capabilities.start_hooks = false;
  agent().set_capabilities(capabilities);
  config = WithHooks();
  config.mutable_hooks()->clear_start_container();
  EXPECT_THAT(std::string(Run(config).status().message()),
              HasSubstr("`config.containers[0].hooks.start_container`: the pod's agent runs no programs"));
  options_.hooks = nullptr;
  Restart();
  EXPECT_EQ(Run(WithHooks()).status().code(), absl::StatusCode::kUnimplemented);
  ExpectNothingLeft();
}

TEST_F(PodHooksTest, TheirTimeIsInTheTimelineAndTheMetrics) {
  hooks_.OnRun([](const HookCall&) {
    const absl::Time began = absl::Now();
    while (absl::Now() < began + absl::Milliseconds(2)) continue;
  });
  ASSERT_TRUE(Run(WithHooks()).ok());
  EXPECT_GE(Get("web").boot_timeline().hooks_seconds(), 0.01) << "six hooks before it runs";
  EXPECT_THAT(metrics_.PhasesOf("RunPod"), Contains("hooks"));
}

// ---- Hooks that never end ----

TEST_F(PodHooksTest, ForceEndsAPodWhosePrestartHangs) {
  hooks_.Hang("/p/prestart");
  absl::Status status;
  std::thread creator([&] { status = Run(WithHooks()).status(); });
  ASSERT_TRUE(hooks_.AwaitRun("/p/prestart"));
  EXPECT_LT(ForceAway("web", absl::Seconds(20)), absl::Seconds(15));
  creator.join();
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_PREEMPTED);
  EXPECT_THAT(hooks_.TakeRuns(), Contains("poststop /p/poststop"));
  ExpectNothingLeft();
}

TEST_F(PodHooksTest, ForceCutsAPoststopThatHangsInAnOrderlyStop) {
  hooks_.Hang("/hangs");
  ASSERT_TRUE(Run(WithPoststop("/hangs")).ok());
  std::thread stopper([&] { (void)Stop("web"); });
  ASSERT_TRUE(hooks_.AwaitRun("/hangs"));
  EXPECT_LT(ForceAway("web", absl::Seconds(3)), absl::Seconds(20)) << "and not 300";
  stopper.join();
  ExpectNothingLeft();
}

TEST_F(PodHooksTest, APoststopThatHangsHoldsNoForcedDeletionUp) {
  hooks_.Hang("/hangs");
  ASSERT_TRUE(Run(WithPoststop("/hangs")).ok());
  EXPECT_LT(ForceAway("web", absl::Seconds(3)), absl::Seconds(15));
  EXPECT_THAT(hooks_.TakeRuns(), ElementsAre("poststop /hangs"));
  ExpectNothingLeft();
}

TEST_F(PodHooksTest, APoststopThatHangsAfterTheMachineDiedIsCutToo) {
  hooks_.Hang("/hangs");
  ASSERT_TRUE(Run(WithPoststop("/hangs")).ok());
  ASSERT_TRUE(hypervisor().Crash("web", "crashed"));
  ASSERT_TRUE(hooks_.AwaitRun("/hangs"));
  EXPECT_LT(ForceAway("web", absl::Seconds(3)), absl::Seconds(15));
  ExpectNothingLeft();
}

// Both the machine and the guest's link end then, and each is told.
TEST_F(PodHooksTest, APoststopOfAMachineThatDiedRunsOnceAndInAPodThatIsStopping) {
  v1::PodState seen = v1::POD_STATE_UNSPECIFIED;
  ASSERT_TRUE(Run(WithPoststop("/once")).ok());
  hooks_.OnRun([&](const HookCall&) {
    seen = Get("web").state();
    const absl::Time began = absl::Now();
    while (absl::Now() < began + absl::Milliseconds(1500)) std::this_thread::yield();
  });
  auto events = Events();
  ASSERT_TRUE(hypervisor().Crash("web", "crashed"));
  AwaitEvent(*events, v1::EVENT_TYPE_POD_FAILED);
  EXPECT_EQ(seen, v1::POD_STATE_STOPPING);
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_FAILED);
  EXPECT_THAT(hooks_.TakeRuns(), ElementsAre("poststop /once"));
}

// The guest of an orderly stop powers off, which looks as if it were lost; the hook must not suffer from that.
TEST_F(PodHooksTest, APoststopOfAnOrderlyStopMayTakeItsTime) {
  bool cut = false;
  ASSERT_TRUE(Run(WithPoststop("/slow")).ok());
  hooks_.OnRun([](const HookCall&) {
    const absl::Time began = absl::Now();
    while (absl::Now() < began + absl::Milliseconds(1500)) std::this_thread::yield();
  });
  CapturedLog log;
  ASSERT_TRUE(Stop("web").ok());
  for (const std::string& line : log.lines()) cut |= line.find("poststop hooks") != std::string::npos;
  EXPECT_FALSE(cut);
  EXPECT_THAT(hooks_.TakeRuns(), ElementsAre("poststop /slow"));
}

TEST_F(PodHooksTest, APoststopThatHangsEndsByItsOwnLimit) {
  hooks_.Hang("/hangs");
  ASSERT_TRUE(Run(WithPoststop("/hangs", 1)).ok());
  EXPECT_EQ(Stop("web")->state(), v1::POD_STATE_STOPPED);
  ASSERT_TRUE(Delete("web").ok());
  EXPECT_THAT(hooks_.TakeRuns(), ElementsAre("poststop /hangs")) << "it ran, whatever came of it";
}

// ---- Daemons that go and come ----

TEST_F(PodHooksTest, PoststopRunsWhenTheMachineDiedWhileTheDaemonWasAway) {
  ASSERT_TRUE(Run(WithHooks()).ok());
  runtime_.reset();
  hooks_.TakeRuns();
  ASSERT_TRUE(hypervisor().Crash("web", "crashed"));
  Restart();
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_FAILED);
  EXPECT_THAT(hooks_.TakeRuns(), ElementsAre("main: poststop /c/poststop", "poststop /p/poststop"));
  Restart();
  ASSERT_TRUE(Delete("web").ok());
  EXPECT_THAT(hooks_.TakeRuns(), IsEmpty());
}

TEST_F(PodHooksTest, APodThatIsAdoptedRunsItsPoststopWhenItIsStopped) {
  ASSERT_TRUE(Run(WithHooks()).ok());
  Restart();
  hooks_.TakeRuns();
  ASSERT_TRUE(Stop("web").ok());
  EXPECT_THAT(hooks_.TakeRuns(), ElementsAre("main: poststop /c/poststop", "poststop /p/poststop"));
}

TEST_F(PodHooksTest, WhatADaemonCutsShortTheNextOneRunsAgain) {
  FakeHookRunner first;
  first.Hang("/hangs");
  options_.hooks = &first;
  Restart();
  ASSERT_TRUE(Run(WithPoststop("/hangs")).ok());
  std::thread stopper([&] { (void)Stop("web"); });
  ASSERT_TRUE(first.AwaitRun("/hangs"));
  options_.hooks = &hooks_;
  runtime_->BeginShutdown();
  stopper.join();
  Restart();
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_STOPPED);
  EXPECT_THAT(hooks_.TakeRuns(), ElementsAre("poststop /hangs"));
  ASSERT_TRUE(Delete("web").ok());
  EXPECT_THAT(hooks_.TakeRuns(), IsEmpty());
}

TEST_F(PodHooksTest, PoststopRunsAfterARebootOfTheHost) {
  ASSERT_TRUE(Run(WithHooks()).ok());
  runtime_.reset();
  hooks_.TakeRuns();
  ASSERT_TRUE(hypervisor().Crash("web", "the host went down"));
  std::filesystem::remove_all(options_.run_dir);
  Restart();
  EXPECT_THAT(Get("web").reason(), HasSubstr("HOST_REBOOTED"));
  EXPECT_THAT(hooks_.TakeRuns(), ElementsAre("main: poststop /c/poststop", "poststop /p/poststop"));
  Restart();
  EXPECT_THAT(hooks_.TakeRuns(), IsEmpty());
}

}  // namespace
}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
// Pods that get a machine that waited for them, and what becomes of them and of it.
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/hook/testing/fake_hook_runner.h"
#include "core/pod/testing/template_fixture.h"

namespace vcd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class PodWarmTest : public TemplateTest {
 protected:
  PodWarmTest() {
    options_.templates.warm_dir = options_.run_dir + "/warm";
    options_.templates.warm_machines = 1;
    options_.templates.retry_after = absl::ZeroDuration();
    options_.hooks = &hooks_;
    options_.hook_limits = {absl::Seconds(30), absl::Seconds(300)};
    Restart();
    Warm();
  }
  ~PodWarmTest() override { runtime_.reset(); }

  // Until one machine waits.
  void Warm() {
    EXPECT_TRUE(Prepare({}).ok());
    EXPECT_TRUE(Run(Config("first")).ok());
    AwaitWarm();
    EXPECT_TRUE(Delete("first", /*force=*/true).ok());
  }
  void AwaitWarm() {
    AwaitThat([this] { return runtime_->ListTemplates().at(0).warm_machines == 1; });
  }
  static void AwaitThat(const std::function<bool()>& condition) {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (!condition() && absl::Now() < deadline) std::this_thread::yield();
    EXPECT_TRUE(condition());
  }

  // As RunAndLook, and none waits afterwards.
  v1::VmStatus RunWithTheLast(const v1::PodConfig& config) {
    const int failed = metrics_.warm_machine_events(WarmMachineEvent::kFailed);
    hypervisor().FailNth("Boot", 1, absl::InternalError("no more"));
    const v1::VmStatus vm = RunAndLook(config);
    AwaitThat(
        [&] { return metrics_.warm_machine_events(WarmMachineEvent::kFailed) > failed && Directories().size() == 1; });
    return vm;
  }

  std::vector<std::string> Directories() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(options_.templates.warm_dir)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  FakeHookRunner hooks_;
};

TEST_F(PodWarmTest, GetsOneAndSaysSo) {
  const std::vector<std::string> waiting = Directories();
  ASSERT_THAT(waiting, SizeIs(1));
  const v1::VmStatus vm = RunWithTheLast(Config("p"));
  EXPECT_EQ(vm.start(), v1::VM_START_WARM);
  EXPECT_EQ(vm.template_key(), runtime_->ListTemplates().at(0).key);
  EXPECT_EQ(runtime_->ListTemplates().at(0).warm_machines, 0u);
  EXPECT_THAT(hypervisor().live_machines(), ElementsAre("p"));
  EXPECT_FALSE(hypervisor().paused("p"));
  EXPECT_EQ(metrics_.machine_starts().back(), MachineStartKind::kWarm);
  EXPECT_THAT(Directories(), ElementsAre(waiting[0]));
  EXPECT_EQ(runtime_->ListTemplates().at(0).clones, 2u);
  ASSERT_TRUE(Delete("p", /*force=*/true).ok());
  EXPECT_THAT(Directories(), IsEmpty());
  ExpectNothingLeft();
}

TEST_F(PodWarmTest, AnotherWaitsSoonAfterOneIsTaken) {
  for (const char* id : {"a", "b", "c"}) {
    EXPECT_EQ(RunAndLook(Config(id)).start(), v1::VM_START_WARM) << id;
    AwaitWarm();
  }
  EXPECT_THAT(Directories(), SizeIs(4));
}

TEST_F(PodWarmTest, OfAnotherKindItGetsNone) {
  v1::PodConfig image = Config("image");
  image.mutable_containers(0)->mutable_rootfs()->mutable_image()->set_path(root_ + "/image");
  // As far as anybody on the host looks, an ext4.
  std::string bytes(4096, '\0');
  bytes.replace(1080, 2, "\x53\xef");
  std::ofstream(root_ + "/image", std::ios::binary) << bytes;
  const std::vector<std::string> waiting = Directories();
  EXPECT_EQ(RunAndLook(image).start(), v1::VM_START_CLONE) << "that which waits has memory that can be shared";
  AwaitThat([&] { return Directories() != waiting && Directories().size() == 1; });
  AwaitWarm();
  image.set_id("image-2");
  EXPECT_EQ(RunAndLook(image).start(), v1::VM_START_WARM);
  AwaitWarm();
  v1::PodConfig cold = Config("cold");
  cold.set_disable_template(true);
  EXPECT_EQ(RunAndLook(cold).start(), v1::VM_START_COLD);
  EXPECT_EQ(runtime_->ListTemplates().at(0).warm_machines, 1u);
}

TEST_F(PodWarmTest, JoinsANetworkFromWhereItIs) {
  v1::PodConfig joined = Config("joined");
  joined.mutable_network_config()->set_netns_path("/run/netns/joined");
  v1::Hook& hook = *joined.mutable_hooks()->add_poststart();
  hook.set_path("/poststart");
  const v1::VmStatus vm = RunWithTheLast(joined);
  EXPECT_EQ(vm.start(), v1::VM_START_WARM);
  EXPECT_EQ(Get("joined").network().netns_path(), "/run/netns/joined");
  EXPECT_EQ(hooks_.held_netns(), "/run/netns/joined") << "a process of that namespace stands for the machine";
  EXPECT_EQ(hooks_.held(), 0);
  EXPECT_THAT(hooks_.call("/poststart").state, HasSubstr(absl::StrCat("\"pid\":", FakeHookRunner::kFirstHeldPid, ",")));
}

TEST_F(PodWarmTest, StartsAnewAfterAStop) {
  EXPECT_EQ(RunWithTheLast(Config("p")).start(), v1::VM_START_WARM);
  std::ofstream(options_.templates.warm_dir + "/" + Directories().at(0) + "/console.log") << "its last words";
  ASSERT_TRUE(Stop("p").ok());
  EXPECT_THAT(Directories(), IsEmpty());
  std::ifstream console(options_.run_dir + "/pods/p/console.log");
  EXPECT_TRUE(console.good()) << "it can still be read";
  const absl::StatusOr<v1::Pod> again = Start("p");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->vm().start(), v1::VM_START_CLONE);
}

TEST_F(PodWarmTest, ALaterDaemonFindsItAndEndsIt) {
  EXPECT_EQ(RunWithTheLast(Config("p")).start(), v1::VM_START_WARM);
  Restart();
  EXPECT_EQ(Get("p").state(), v1::POD_STATE_RUNNING);
  EXPECT_EQ(Get("p").vm().start(), v1::VM_START_WARM);
  EXPECT_THAT(Directories(), SizeIs(1));
  EXPECT_TRUE(Stop("p").ok());
  EXPECT_THAT(Directories(), IsEmpty());
  EXPECT_TRUE(Delete("p").ok());
  ExpectNothingLeft();
}

TEST_F(PodWarmTest, OneThatIsOfNoUseCostsNoPod) {
  for (const char* step : {"Resume", "Connect", "died"}) {
    if (step == std::string("Resume")) hypervisor().FailNth("Resume", 1, absl::UnavailableError("stuck"));
    if (step == std::string("Connect")) agent().FailNth("Connect", 1, absl::UnavailableError("no word"));
    const std::string id = absl::StrCat("after-", step);
    if (step == std::string("died")) hypervisor().Crash(Directories().at(0), "killed");
    EXPECT_EQ(RunAndLook(Config(id)).start(), v1::VM_START_CLONE) << step;
    EXPECT_TRUE(Delete(id, /*force=*/true).ok());
    EXPECT_TRUE(Run(Config("again")).ok());
    AwaitWarm();
    EXPECT_TRUE(Delete("again", /*force=*/true).ok());
    EXPECT_THAT(Directories(), SizeIs(1)) << step;
    EXPECT_THAT(hypervisor().live_machines(), SizeIs(1)) << step;
  }
  EXPECT_EQ(runtime_->ListTemplates().at(0).state, TemplateState::kReady) << "it is not its template's fault";
}

TEST_F(PodWarmTest, AForcedDeleteEndsOneThatHangs) {
  options_.templates.clone_timeout = absl::Minutes(5);
  Restart();
  Warm();
  agent().HangNth("Connect", 1);
  const Completion<v1::Pod> run;
  runtime_->RunPod(Config("p"), Soon(), [run](absl::StatusOr<v1::Pod> pod) { run.Set(std::move(pod)); });
  ASSERT_TRUE(agent().WaitUntilHanging("Connect"));
  EXPECT_TRUE(Delete("p", /*force=*/true).ok());
  EXPECT_EQ(run.Wait({Soon().deadline, nullptr}, "the run").status().code(), absl::StatusCode::kAborted);
  AwaitWarm();
  EXPECT_THAT(Directories(), SizeIs(1)) << "the one that waits now";
  EXPECT_THAT(hypervisor().live_machines(), ElementsAre(Directories().at(0)));
}

TEST_F(PodWarmTest, OneWhoseRecordIsDamagedIsEnded) {
  EXPECT_EQ(RunWithTheLast(Config("p")).start(), v1::VM_START_WARM);
  runtime_.reset();
  std::ofstream(options_.run_dir + "/pods/p/state.json") << "{ \"state\": ";
  Restart();
  EXPECT_EQ(Get("p").state(), v1::POD_STATE_FAILED);
  EXPECT_THAT(hypervisor().live_machines(), IsEmpty()) << "nobody else would find it";
  EXPECT_THAT(Directories(), IsEmpty());
}

TEST_F(PodWarmTest, AnOrderlyEndLeavesNoneWaiting) {
  runtime_.reset();
  EXPECT_THAT(hypervisor().live_machines(), IsEmpty());
  EXPECT_THAT(Directories(), IsEmpty());
}

}  // namespace
}  // namespace vcd

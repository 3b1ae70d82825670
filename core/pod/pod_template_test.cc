// SPDX-License-Identifier: Apache-2.0
// How pods start from templates, and what becomes of them when that fails.
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/pod/testing/template_fixture.h"

namespace vcd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class PodTemplateTest : public TemplateTest {
 protected:
  PodTemplateTest() {
    Restart();
    AwaitOpen();
  }

  absl::StatusOr<std::vector<std::string>> Drop(const std::string& key) {
    return Await<std::vector<std::string>>([&](auto done) { runtime_->DeleteTemplate(key, done); });
  }

  // Machines boot until the templates are loaded; then there are none.
  void AwaitOpen() {
    EXPECT_TRUE(Prepare({}).ok());
    EXPECT_THAT(Drop("*").value(), SizeIs(1));
  }

  std::vector<std::string> Images() const {
    std::vector<std::string> images;
    for (const auto& entry : std::filesystem::directory_iterator(options_.templates.directory)) {
      images.push_back(entry.path().string() + "/fake-image");
    }
    return images;
  }
};

TEST_F(PodTemplateTest, TheFirstBootsAndTheNextIsAClone) {
  const v1::VmStatus first = RunAndLook(Config("first"));
  EXPECT_EQ(first.start(), v1::VM_START_COLD);
  EXPECT_THAT(first.start_reason(), HasSubstr("no template"));
  const absl::StatusOr<TemplateInfo> made = Prepare({});
  ASSERT_TRUE(made.ok()) << made.status();
  const v1::VmStatus second = RunAndLook(Config("second"));
  EXPECT_EQ(second.start(), v1::VM_START_CLONE);
  EXPECT_EQ(second.start_reason(), "");
  EXPECT_EQ(second.template_key(), made->key);
  EXPECT_THAT(metrics_.machine_starts(), ElementsAre(MachineStartKind::kCold, MachineStartKind::kClone));
  EXPECT_EQ(runtime_->ListTemplates().at(0).clones, 1u);
}

TEST_F(PodTemplateTest, HowItWasStartedOutlivesTheDaemonButNotTheMachine) {
  ASSERT_TRUE(Prepare({}).ok());
  RunAndLook(Config("p"));
  Restart();
  EXPECT_EQ(Get("p").vm().start(), v1::VM_START_CLONE);
  ASSERT_TRUE(Stop("p").ok());
  EXPECT_FALSE(Get("p").has_vm());
}

TEST_F(PodTemplateTest, APodMayRefuse) {
  ASSERT_TRUE(Prepare({}).ok());
  v1::PodConfig config = Config("p");
  config.set_disable_template(true);
  const v1::VmStatus vm = RunAndLook(config);
  EXPECT_EQ(vm.start(), v1::VM_START_COLD);
  EXPECT_THAT(vm.start_reason(), HasSubstr("not to be a clone"));
}

TEST_F(PodTemplateTest, APodOfAnotherDomainDoesNotShare) {
  ASSERT_TRUE(Prepare({}).ok());
  v1::PodConfig config = Config("p");
  config.set_trust_domain("team-a");
  EXPECT_EQ(RunAndLook(config).start(), v1::VM_START_COLD);
  v1::PodConfig wrong = Config("q");
  wrong.set_trust_domain("../x");
  EXPECT_EQ(Run(wrong).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(PodTemplateTest, ACloneThatIsNotAnsweredBoots) {
  ASSERT_TRUE(Prepare({}).ok());
  for (const bool crashes : {false, true}) {
    if (crashes) {
      hypervisor().FailNth("Boot", 1, absl::FailedPreconditionError("qemu was killed"));
    } else {
      agent().FailNth("Connect", 1, absl::UnavailableError("no word"));
    }
    const std::string id = crashes ? "crashed" : "silent";
    const v1::VmStatus vm = RunAndLook(Config(id));
    EXPECT_EQ(vm.start(), v1::VM_START_COLD);
    EXPECT_THAT(vm.start_reason(), HasSubstr(crashes ? "qemu was killed" : "no word"));
    EXPECT_EQ(vm.template_key(), "");
  }
  EXPECT_THAT(hypervisor().live_machines(), ElementsAre("crashed", "silent"));
  EXPECT_THAT(metrics_.machine_starts(), ElementsAre(MachineStartKind::kFallback, MachineStartKind::kFallback));
  const TemplateInfo info = runtime_->ListTemplates().at(0);
  EXPECT_EQ(info.state, TemplateState::kFailed) << "of no use twice in a row";
  EXPECT_EQ(info.fallbacks, 2u);
}

TEST_F(PodTemplateTest, ACloneThatHangsIsGivenUpInTimeForABoot) {
  // Long enough to come to where it hangs.
  options_.templates.clone_timeout = absl::Seconds(1);
  Restart();
  ASSERT_TRUE(Prepare({}).ok());
  agent().HangNth("Connect", 1);
  const v1::VmStatus vm = RunAndLook(Config("p"));
  EXPECT_EQ(vm.start(), v1::VM_START_COLD);
  EXPECT_THAT(vm.start_reason(), HasSubstr("failed"));
}

TEST_F(PodTemplateTest, ADamagedTemplateCostsNoPod) {
  ASSERT_TRUE(Prepare({}).ok());
  for (const std::string& image : Images()) std::ofstream(image) << "damaged";
  EXPECT_EQ(RunAndLook(Config("p")).start(), v1::VM_START_COLD);
  ASSERT_TRUE(Prepare({}).ok()) << "made anew";
  EXPECT_EQ(RunAndLook(Config("q")).start(), v1::VM_START_CLONE);
}

TEST_F(PodTemplateTest, AForcedDeleteEndsACloneUnderWay) {
  options_.templates.clone_timeout = absl::Minutes(5);
  Restart();
  ASSERT_TRUE(Prepare({}).ok());
  agent().HangNth("Connect", 1);
  const Completion<v1::Pod> run;
  runtime_->RunPod(Config("p"), Soon(), [run](absl::StatusOr<v1::Pod> pod) { run.Set(std::move(pod)); });
  ASSERT_TRUE(agent().WaitUntilHanging("Connect"));
  EXPECT_TRUE(Delete("p", /*force=*/true).ok());
  EXPECT_EQ(run.Wait({Soon().deadline, nullptr}, "the run").status().code(), absl::StatusCode::kAborted);
  EXPECT_THAT(hypervisor().live_machines(), IsEmpty());
  EXPECT_EQ(runtime_->ListTemplates().at(0).state, TemplateState::kReady) << "it was not its fault";
}

TEST_F(PodTemplateTest, WhatCannotBeATemplateSaysWhy) {
  HypervisorCapabilities without = hypervisor().capabilities();
  without.images = false;
  hypervisor().set_capabilities(without);
  EXPECT_EQ(Prepare({}).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(RunAndLook(Config("p")).start_reason(), HasSubstr("saves no machines"));
  v1::PodConfig wrong;
  wrong.set_hypervisor("nope");
  EXPECT_EQ(Prepare(wrong).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace vcd

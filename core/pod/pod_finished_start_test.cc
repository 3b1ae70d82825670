// SPDX-License-Identifier: Apache-2.0
// What a daemon that starts finishes of starts that were cut off, and what of it that fails or cannot be written costs.
#include <string>

#include "core/os/testing/bounded_filesystem.h"
#include "core/pod/testing/pod_runtime_fixture.h"
#include "core/state/state_store.h"

namespace vcd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class PodFinishedStartTest : public PodRuntimeTest {
 protected:
  PodFinishedStartTest() { RestartOnDisk(); }
  ~PodFinishedStartTest() override { runtime_.reset(); }

  void RestartOnDisk() {
    runtime_.reset();
    auto runtime = PodRuntime::Open(options_, backends_, disk_, io_, pool_, events_);
    ASSERT_TRUE(runtime.ok()) << runtime.status();
    runtime_ = *std::move(runtime);
    runtime_->WaitReconciled();
  }

  // The daemon died with that under way.
  void CutOff(state::v1::Intent intent, const std::string& container_id = "") {
    runtime_.reset();
    StateStore store(disk_, options_.state_dir, options_.run_dir);
    absl::StatusOr<state::v1::PodRecord> record = store.LoadRecord("web");
    ASSERT_TRUE(record.ok()) << record.status();
    record->mutable_under_way()->set_intent(intent);
    record->mutable_under_way()->set_container_id(container_id);
    ASSERT_EQ(store.SaveRecord(*record), absl::OkStatus());
  }

  void RunWithHeldContainer() {
    ASSERT_TRUE(Run(Config("web")).ok());
    v1::ContainerConfig side = Config("web").containers(0);
    side.set_id("side");
    ASSERT_EQ(CreateContainer("web", side).status(), absl::OkStatus());
  }

  BoundedFilesystem disk_{filesystem_};
};

TEST_F(PodFinishedStartTest, AContainerThatDoesNotStartCostsNoOther) {
  RunWithHeldContainer();
  CutOff(state::v1::INTENT_START_CONTAINER, "side");
  agent().FailNth("StartContainer", 1, absl::FailedPreconditionError("its hook fails"));
  RestartOnDisk();
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_RUNNING) << Get("web").reason();
  EXPECT_EQ(Get("web").containers(0).state(), v1::CONTAINER_STATE_RUNNING);
  EXPECT_EQ(Get("web").containers(1).state(), v1::CONTAINER_STATE_READY);
  EXPECT_THAT(hypervisor().live_machines(), ElementsAre("web"));
  EXPECT_EQ(StartContainer("web", "side").status(), absl::OkStatus());
}

TEST_F(PodFinishedStartTest, AFullDiskKeepsNoContainerFromBeingStarted) {
  RunWithHeldContainer();
  CutOff(state::v1::INTENT_START_CONTAINER, "side");
  disk_.BeFull();
  RestartOnDisk();
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_RUNNING) << Get("web").reason();
  EXPECT_EQ(Get("web").containers(1).state(), v1::CONTAINER_STATE_RUNNING);
}

TEST_F(PodFinishedStartTest, AFullDiskKeepsNoPodFromBeingStarted) {
  ASSERT_TRUE(Create(Config("web")).ok());
  CutOff(state::v1::INTENT_START);
  disk_.BeFull();
  RestartOnDisk();
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_RUNNING) << Get("web").reason();
  EXPECT_THAT(hypervisor().live_machines(), ElementsAre("web"));
}

TEST_F(PodFinishedStartTest, AFullDiskHidesNoResumption) {
  ASSERT_TRUE(Run(Config("web")).ok());
  ASSERT_TRUE(Pause("web").ok());
  CutOff(state::v1::INTENT_RESUME);
  disk_.BeFull();
  RestartOnDisk();
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_RUNNING) << Get("web").reason();
}

TEST_F(PodFinishedStartTest, AStartThatFailsLeavesThePodStopped) {
  ASSERT_TRUE(Create(Config("web")).ok());
  CutOff(state::v1::INTENT_START);
  agent().FailNth("StartContainer", 1, absl::FailedPreconditionError("its hook fails"));
  RestartOnDisk();
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_STOPPED);
  EXPECT_THAT(Get("web").reason(), HasSubstr("start failed: start container main: its hook fails"));
  EXPECT_THAT(hypervisor().live_machines(), IsEmpty());
  EXPECT_EQ(Start("web").status(), absl::OkStatus());
}

}  // namespace
}  // namespace vcd

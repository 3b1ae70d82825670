// SPDX-License-Identifier: Apache-2.0
#include <signal.h>

#include "core/pod/testing/pod_runtime_fixture.h"

namespace vcd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using ContainerForceTest = PodRuntimeTest;

TEST_F(ContainerForceTest, AContainerThatEndedByItselfGivesItsRootfsBackWhenItIsStopped) {
  v1::PodConfig config = Config("web");
  *config.add_containers() = config.containers(0);
  config.mutable_containers(1)->set_id("second");
  auto events = Events();
  ASSERT_TRUE(Run(config).ok());
  agent().Exit("web", {"second", ""}, 7);
  AwaitEvent(*events, v1::EVENT_TYPE_CONTAINER_STOPPED);
  EXPECT_THAT(hypervisor().directories("web"), ElementsAre("rootfs-0", "rootfs-1"));
  const auto stopped = StopContainer("web", "second");
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_EQ(stopped->exit_status().code(), 7);
  EXPECT_THAT(hypervisor().directories("web"), ElementsAre("rootfs-0"));
  EXPECT_THAT(agent().containers("web"), ElementsAre("main"));
  EXPECT_EQ(StartContainer("web", "second")->state(), v1::CONTAINER_STATE_RUNNING);
}

TEST_F(ContainerForceTest, OneContainerOfAPausedPodIsEndedOnlyByForceAndTheOthersStayPaused) {
  v1::PodConfig config = Config("web");
  *config.add_containers() = config.containers(0);
  config.mutable_containers(1)->set_id("second");
  ASSERT_TRUE(Run(config).ok());
  ASSERT_TRUE(Pause("web").ok());
  const absl::Status refused = StopContainer("web", "second").status();
  EXPECT_EQ(ReasonOf(refused), v1::ERROR_REASON_WRONG_STATE);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("resume it first, or use force"));
  EXPECT_THAT(std::string(Kill("web", SIGKILL).message()), HasSubstr("or stop the container with force"));
  EXPECT_EQ(ReasonOf(DeleteContainer("web", "second")), v1::ERROR_REASON_WRONG_STATE);

  const auto stopped = StopContainer("web", "second", "", /*force=*/true);
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_EQ(stopped->state(), v1::CONTAINER_STATE_STOPPED);
  EXPECT_EQ(stopped->exit_status().signal(), SIGKILL);
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_PAUSED);
  EXPECT_EQ(Get("web").containers(0).state(), v1::CONTAINER_STATE_PAUSED);
  EXPECT_TRUE(hypervisor().paused("web"));
  EXPECT_THAT(hypervisor().directories("web"), ElementsAre("rootfs-0"));

  ASSERT_TRUE(DeleteContainer("web", "main", "", /*force=*/true).ok());
  EXPECT_TRUE(hypervisor().paused("web"));
  EXPECT_THAT(agent().containers("web"), IsEmpty());
  EXPECT_EQ(Get("web").containers_size(), 1);
  EXPECT_EQ(Resume("web")->state(), v1::POD_STATE_RUNNING);
}

TEST_F(ContainerForceTest, APausedPodThatCannotBePausedAgainIsShownToRun) {
  ASSERT_TRUE(Run(Config("web")).ok());
  ASSERT_TRUE(Pause("web").ok());
  hypervisor().FailNth("Pause", 1, absl::UnavailableError("injected"));
  const absl::Status status = StopContainer("web", "main", "", /*force=*/true).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("pause the VM again: injected"));
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_RUNNING);
  EXPECT_FALSE(hypervisor().paused("web"));
  EXPECT_EQ(Get("web").containers(0).state(), v1::CONTAINER_STATE_STOPPED);
}

TEST_F(ContainerForceTest, ARunningContainerIsDeletedOnlyWithForce) {
  ASSERT_TRUE(Run(Config("web")).ok());
  EXPECT_EQ(ReasonOf(DeleteContainer("web", "main")), v1::ERROR_REASON_WRONG_STATE);
  ASSERT_TRUE(DeleteContainer("web", "main", "", /*force=*/true).ok());
  EXPECT_EQ(Get("web").containers_size(), 0);
  EXPECT_THAT(agent().containers("web"), IsEmpty());
}

}  // namespace
}  // namespace vcd

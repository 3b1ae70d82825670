// SPDX-License-Identifier: Apache-2.0
#include "core/pod/testing/pod_runtime_fixture.h"

namespace vcd {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using PodReleaseTest = PodRuntimeTest;

TEST_F(PodReleaseTest, ANetworkThatCannotBeTakenDownIsToldAndTriedAgain) {
  ASSERT_TRUE(Run(Config("web")).ok());
  network().FailDetach(absl::UnavailableError("injected"));
  const auto stopped = Stop("web");
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_EQ(stopped->state(), v1::POD_STATE_STOPPED);
  EXPECT_THAT(stopped->reason(), AllOf(HasSubstr("network fake: injected"), HasSubstr("tried again")));
  EXPECT_THAT(network().attached(), ElementsAre("web"));
  // Over a restart, and by a start as well as by a stop.
  Restart();
  network().FailDetach(absl::UnavailableError("injected"));
  EXPECT_THAT(std::string(Start("web").status().message()), HasSubstr("what its last life had kept: injected"));
  // The undo of the start got through.
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_STOPPED);
  EXPECT_THAT(network().attached(), IsEmpty());
  EXPECT_EQ(Start("web")->reason(), "");
}

TEST_F(PodReleaseTest, AStopOfAStoppedPodTriesAgainWhatItStillHolds) {
  ASSERT_TRUE(Run(Config("web")).ok());
  network().FailDetach(absl::UnavailableError("injected"));
  ASSERT_THAT(Stop("web")->reason(), HasSubstr("injected"));
  EXPECT_EQ(Stop("web")->reason(), "");
  EXPECT_THAT(network().attached(), IsEmpty());
}

TEST_F(PodReleaseTest, ADeletionThatWouldLeaveANetworkFailsUnlessForced) {
  ASSERT_TRUE(Create(Config("web")).ok());
  network().FailDetach(absl::UnavailableError("injected"));
  const absl::Status status = Delete("web").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("still holds network fake: injected"), HasSubstr("with force")));
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_FAILED);
  network().FailDetach(absl::UnavailableError("injected"));
  const auto released = Delete("web", /*force=*/true);
  ASSERT_TRUE(released.ok()) << released.status();
  EXPECT_THAT(released->kept, ElementsAre("network fake: injected"));
  EXPECT_EQ(ReasonOf(Start("web").status()), v1::ERROR_REASON_POD_NOT_FOUND);
}

TEST_F(PodReleaseTest, ADeletionThatFailedIsTriedAgainByTheNextDaemon) {
  ASSERT_TRUE(Create(Config("web")).ok());
  network().FailDetach(absl::UnavailableError("injected"));
  ASSERT_FALSE(Delete("web").ok());
  Restart();
  ExpectNothingLeft();
}

TEST_F(PodReleaseTest, ACreationThatLeavesAMachineLeavesItsPodToo) {
  agent().FailNth("Connect", 1, absl::FailedPreconditionError("no guest"));
  hypervisor().FailNth("Stop", 1, absl::InternalError("it does not die"));
  for (int n : {1, 2}) hypervisor().FailNth("Reap", n, absl::InternalError("it does not die"));
  const absl::Status status = Create(Config("web")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("no guest"), HasSubstr("it does not die"), HasSubstr("delete the pod")));
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_FAILED);
  EXPECT_THAT(hypervisor().live_machines(), ElementsAre("web"));
  ASSERT_TRUE(Delete("web").ok());
  ExpectNothingLeft();
}

TEST_F(PodReleaseTest, AMachineThatACreationLeavesIsEndedByTheNextDaemon) {
  agent().FailNth("StartContainer", 1, absl::FailedPreconditionError("its hook fails"));
  hypervisor().FailNth("Stop", 1, absl::InternalError("it does not die"));
  ASSERT_FALSE(Run(Config("web")).ok());
  EXPECT_THAT(hypervisor().live_machines(), ElementsAre("web"));
  EXPECT_EQ(Get("web").state(), v1::POD_STATE_FAILED);
  Restart();
  ExpectNothingLeft();
}

TEST_F(PodReleaseTest, ANetworkThatACreationLeavesIsTriedAgain) {
  agent().FailNth("Connect", 1, absl::FailedPreconditionError("no guest"));
  network().FailDetach(absl::UnavailableError("injected"));
  EXPECT_EQ(Create(Config("web")).status().code(), absl::StatusCode::kFailedPrecondition);
  ExpectNothingLeft();
}

}  // namespace
}  // namespace vcd

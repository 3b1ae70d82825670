// SPDX-License-Identifier: Apache-2.0
#include "core/pod/pod_state_machine.h"

#include <set>
#include <utility>

#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

using testing::HasSubstr;

// Every pair, from the specification rather than from the code.
TEST(PodStateMachineTest, EveryPairIsAsSpecified) {
  const std::set<std::pair<std::string, std::string>> allowed = {
      {"unspecified", "creating"}, {"creating", "ready"},   {"creating", "stopping"}, {"creating", "stopped"},
      {"creating", "failed"},      {"ready", "running"},    {"ready", "stopping"},    {"ready", "stopped"},
      {"ready", "failed"},         {"running", "paused"},   {"running", "stopping"},  {"running", "stopped"},
      {"running", "failed"},       {"paused", "running"},   {"paused", "stopping"},   {"paused", "stopped"},
      {"paused", "failed"},        {"stopping", "stopped"}, {"stopping", "failed"},   {"stopped", "running"},
      {"stopped", "creating"},     {"stopped", "stopping"}, {"stopped", "failed"},    {"failed", "stopping"},
      {"failed", "stopped"},       {"creating", "running"},
  };
  for (int from = 0; from < v1::PodState_ARRAYSIZE; ++from) {
    for (int to = 0; to < v1::PodState_ARRAYSIZE; ++to) {
      const auto pair =
          std::make_pair(StateWord(static_cast<v1::PodState>(from)), StateWord(static_cast<v1::PodState>(to)));
      EXPECT_EQ(CanMove(static_cast<v1::PodState>(from), static_cast<v1::PodState>(to)), allowed.count(pair) == 1)
          << pair.first << " -> " << pair.second;
      const bool made_anew = pair == std::make_pair(std::string("stopped"), std::string("ready"));
      EXPECT_EQ(CanMove(static_cast<v1::ContainerState>(from), static_cast<v1::ContainerState>(to)),
                allowed.count(pair) == 1 || made_anew)
          << pair.first << " -> " << pair.second;
    }
  }
}

// The seed's table: what it allows stays allowed, what it refuses between its four words stays refused.
TEST(PodStateMachineTest, KeepsTheFourWordsOfTheSeed) {
  const v1::PodState ready = v1::POD_STATE_READY, running = v1::POD_STATE_RUNNING, paused = v1::POD_STATE_PAUSED,
                     stopped = v1::POD_STATE_STOPPED;
  EXPECT_TRUE(CanMove(ready, running) && CanMove(ready, stopped) && CanMove(running, paused) &&
              CanMove(running, stopped) && CanMove(paused, running) && CanMove(paused, stopped) &&
              CanMove(stopped, running));
  EXPECT_FALSE(CanMove(ready, ready) || CanMove(ready, paused) || CanMove(running, ready) || CanMove(paused, ready) ||
               CanMove(stopped, ready) || CanMove(stopped, paused) || CanMove(stopped, stopped));
}

state::v1::PodRecord RecordOf(v1::PodState pod, v1::ContainerState container) {
  state::v1::PodRecord record;
  record.set_pod_id("web");
  record.set_state(pod);
  record.add_containers()->set_id("main");
  record.mutable_containers(0)->set_state(container);
  return record;
}

TEST(CheckMovesTest, WhatStaysMayStayWhateverItIs) {
  const state::v1::PodRecord record = RecordOf(v1::POD_STATE_FAILED, v1::CONTAINER_STATE_FAILED);
  EXPECT_TRUE(CheckMoves(record, record).ok());
}

TEST(CheckMovesTest, AMoveThatIsNotInTheTableIsNamed) {
  const state::v1::PodRecord stopped = RecordOf(v1::POD_STATE_STOPPED, v1::CONTAINER_STATE_STOPPED);
  const absl::Status pod = CheckMoves(stopped, RecordOf(v1::POD_STATE_PAUSED, v1::CONTAINER_STATE_STOPPED));
  EXPECT_EQ(pod.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(pod.message()), HasSubstr("pod web cannot become paused: it is stopped"));
  const absl::Status container = CheckMoves(stopped, RecordOf(v1::POD_STATE_STOPPED, v1::CONTAINER_STATE_PAUSED));
  EXPECT_EQ(container.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(container.message()),
              HasSubstr("container main of pod web cannot become paused: it is stopped"));
}

TEST(CheckMovesTest, AContainerAppearsAsOneThatIsBeingMade) {
  state::v1::PodRecord before;
  before.set_pod_id("web");
  before.set_state(v1::POD_STATE_RUNNING);
  EXPECT_TRUE(CheckMoves(before, RecordOf(v1::POD_STATE_RUNNING, v1::CONTAINER_STATE_CREATING)).ok());
  EXPECT_FALSE(CheckMoves(before, RecordOf(v1::POD_STATE_RUNNING, v1::CONTAINER_STATE_READY)).ok());
  EXPECT_TRUE(CheckMoves(RecordOf(v1::POD_STATE_RUNNING, v1::CONTAINER_STATE_PAUSED), before).ok());
}

TEST(CheckOperationTest, RefusalNamesPodStateAndNextStep) {
  const absl::Status status = CheckOperation(PodOperation::kExec, "web", v1::POD_STATE_PAUSED);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), "cannot exec in pod web: it is paused; resume it first");
  EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_WRONG_STATE);
  EXPECT_EQ(DetailOf(status)->metadata.at("state"), "paused");
}

TEST(CheckOperationTest, RunningPodIsNotStartedAgain) {
  EXPECT_THAT(std::string(CheckOperation(PodOperation::kStart, "p", v1::POD_STATE_RUNNING).message()),
              HasSubstr("running already"));
  EXPECT_TRUE(CheckOperation(PodOperation::kStart, "p", v1::POD_STATE_STOPPED).ok());
  // A start knows no force, which a deletion does.
  const absl::Status start = CheckOperation(PodOperation::kStartContainer, "p", "c", v1::CONTAINER_STATE_RUNNING);
  EXPECT_THAT(std::string(start.message()), testing::Not(HasSubstr("force")));
  const absl::Status deletion = CheckOperation(PodOperation::kDeleteContainer, "p", "c", v1::CONTAINER_STATE_RUNNING);
  EXPECT_THAT(std::string(deletion.message()), HasSubstr("stop it first, or use force"));
}

TEST(CheckOperationTest, RefusalOfAContainerNamesIt) {
  const absl::Status status = CheckOperation(PodOperation::kStartContainer, "p", "c", v1::CONTAINER_STATE_RUNNING);
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot start container c of pod p: it is running"));
  EXPECT_EQ(DetailOf(status)->metadata.at("container_id"), "c");
}

}  // namespace
}  // namespace vcd

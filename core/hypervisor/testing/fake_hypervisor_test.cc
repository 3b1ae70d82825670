// SPDX-License-Identifier: Apache-2.0
#include "core/hypervisor/testing/fake_hypervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "absl/time/clock.h"
#include "core/hypervisor/testing/hypervisor_contract.h"

namespace vcd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

HypervisorContractParam FakeParam() {
  HypervisorContractParam param;
  param.name = "Fake";
  param.make = [](IoThread& io) { return std::make_unique<FakeHypervisor>(io); };
  param.crash = [](Hypervisor& hypervisor, const VmSpec& spec, const VirtualMachine&) {
    EXPECT_TRUE(static_cast<FakeHypervisor&>(hypervisor).Crash(spec.pod_id, "crashed"));
  };
  param.running = [](Hypervisor& hypervisor, const std::string&) {
    return static_cast<FakeHypervisor&>(hypervisor).live_machines();
  };
  param.survives_restart = false;
  param.checks_paths = false;
  return param;
}

INSTANTIATE_TEST_SUITE_P(Fake, HypervisorContract, testing::Values(FakeParam()), HypervisorContractName);
INSTANTIATE_TEST_SUITE_P(Fake, HypervisorImageContract, testing::Values(FakeParam()), HypervisorContractName);

class FakeHypervisorTest : public testing::Test {
 protected:
  static CallContext Soon() { return {absl::Now() + absl::Minutes(1), nullptr}; }
  static VmSpec Spec(const std::string& pod_id) { return {pod_id, "/run/" + pod_id, {}, true}; }

  IoThread io_;
  FakeHypervisor hypervisor_{io_};
};

TEST_F(FakeHypervisorTest, FailsTheNthCallOnly) {
  hypervisor_.FailNth("Boot", 2, absl::ResourceExhaustedError("no memory"));
  EXPECT_TRUE(hypervisor_.Boot(Spec("a"), Soon()).ok());
  EXPECT_EQ(hypervisor_.Boot(Spec("b"), Soon()).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(hypervisor_.Boot(Spec("b"), Soon()).ok());
  EXPECT_THAT(hypervisor_.live_machines(), ElementsAre("a", "b"));
  EXPECT_THAT(hypervisor_.calls(), ElementsAre("Boot a", "Boot b", "Boot b"));
}

TEST_F(FakeHypervisorTest, HangsUntilCancelled) {
  hypervisor_.HangNth("Boot", 1);
  Cancellation cancellation;
  std::thread canceller([&] {
    EXPECT_TRUE(hypervisor_.WaitUntilHanging("Boot"));
    cancellation.Cancel(absl::AbortedError("preempted"));
  });
  const absl::Status status = hypervisor_.Boot(Spec("a"), {absl::InfiniteFuture(), &cancellation}).status();
  canceller.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_THAT(hypervisor_.live_machines(), IsEmpty());
}

TEST_F(FakeHypervisorTest, HangingStopEndsTheMachineAfterAll) {
  auto machine = hypervisor_.Boot(Spec("a"), Soon());
  ASSERT_TRUE(machine.ok());
  hypervisor_.HangNth("Stop", 1);
  EXPECT_TRUE((*machine)->Stop(StopMode::kOrderly, {absl::Now() + absl::Milliseconds(20), nullptr}).ok());
  EXPECT_THAT(hypervisor_.live_machines(), IsEmpty());
}

TEST_F(FakeHypervisorTest, HandsOutTheAgentsEnd) {
  auto machine = hypervisor_.Boot(Spec("a"), Soon());
  ASSERT_TRUE(machine.ok());
  auto stream = (*machine)->ConnectAgent(Soon());
  ASSERT_TRUE(stream.ok());
  UniqueFd peer = hypervisor_.TakeAgentPeer("a");
  ASSERT_TRUE(peer.valid());
  ASSERT_EQ(write(stream->get(), "x", 1), 1);
  char got = 0;
  EXPECT_EQ(read(peer.get(), &got, 1), 1);
  EXPECT_FALSE(hypervisor_.TakeAgentPeer("a").valid());
}

}  // namespace
}  // namespace vcd

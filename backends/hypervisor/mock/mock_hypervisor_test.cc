// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/mock/mock_hypervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "absl/time/clock.h"
#include "core/hypervisor/testing/hypervisor_contract.h"

namespace vcd {
namespace {

using ::testing::HasSubstr;

HypervisorContractParam MockParam() {
  HypervisorContractParam param;
  param.name = "Mock";
  param.make = [](IoThread& io) { return std::make_unique<MockHypervisor>(io); };
  param.crash = [](Hypervisor& hypervisor, const VmSpec& spec, const VirtualMachine&) {
    EXPECT_TRUE(static_cast<MockHypervisor&>(hypervisor).Crash(spec.pod_id));
  };
  param.running = [](Hypervisor&, const std::string& run_dir) {
    std::vector<std::string> running;
    for (const auto& entry : std::filesystem::directory_iterator(run_dir)) running.push_back(entry.path().filename());
    return running;
  };
  param.checks_paths = false;
  return param;
}

INSTANTIATE_TEST_SUITE_P(Mock, HypervisorContract, testing::Values(MockParam()), HypervisorContractName);

class MockHypervisorTest : public testing::Test {
 protected:
  MockHypervisorTest() {
    char root[] = "/tmp/vcd-test-XXXXXX";
    spec_.pod_id = "pod-1";
    spec_.run_dir = mkdtemp(root);
  }
  ~MockHypervisorTest() override { std::filesystem::remove_all(spec_.run_dir); }

  static CallContext Soon() { return {absl::Now() + absl::Seconds(10), nullptr}; }

  VmSpec spec_;
  IoThread io_;
};

TEST_F(MockHypervisorTest, FailsEveryBootAsTold) {
  MockHypervisor hypervisor(io_, {absl::Milliseconds(1), absl::ResourceExhaustedError("no memory")});
  const absl::Status status = hypervisor.Boot(spec_, Soon()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("pod-1"));
  EXPECT_TRUE(std::filesystem::is_empty(spec_.run_dir));
}

TEST_F(MockHypervisorTest, SlowBootIsCancelled) {
  MockHypervisor hypervisor(io_, {absl::Hours(1), absl::OkStatus()});
  Cancellation cancellation;
  std::thread canceller([&] { cancellation.Cancel(absl::AbortedError("preempted")); });
  EXPECT_EQ(hypervisor.Boot(spec_, {absl::InfiniteFuture(), &cancellation}).status().code(),
            absl::StatusCode::kAborted);
  canceller.join();
  EXPECT_TRUE(std::filesystem::is_empty(spec_.run_dir));
}

TEST_F(MockHypervisorTest, MachineOfAnEarlierBootOfTheHostHasEnded) {
  MockHypervisor hypervisor(io_);
  auto machine = hypervisor.Boot(spec_, Soon());
  ASSERT_TRUE(machine.ok()) << machine.status();
  state::v1::VirtualMachine record = (*machine)->Record();
  record.mutable_process()->set_boot_id("another");
  EXPECT_EQ(MockHypervisor(io_).Adopt(spec_, record, Soon()).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(MockHypervisorTest, HasNoAgentChannelAndSaysWhatToUse) {
  MockHypervisor hypervisor(io_);
  auto machine = hypervisor.Boot(spec_, Soon());
  ASSERT_TRUE(machine.ok()) << machine.status();
  EXPECT_THAT(std::string((*machine)->ConnectAgent(Soon()).status().message()), HasSubstr("noop"));
}

}  // namespace
}  // namespace vcd

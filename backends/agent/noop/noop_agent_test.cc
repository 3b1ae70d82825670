// SPDX-License-Identifier: Apache-2.0
#include "backends/agent/noop/noop_agent.h"

#include <signal.h>

#include "core/agent/testing/agent_contract.h"
#include "core/agent/testing/socket_machine.h"
#include "core/status/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

absl::StatusOr<UniqueFd> NoChannel() { return absl::UnimplementedError("no agent channel"); }

class NoopContractGuest : public AgentContractGuest {
 public:
  Agent& agent() override { return agent_; }
  VirtualMachine& machine() override { return machine_; }
  IoThread& io() override { return io_; }
  GuestContainerSpec Container(const std::string& id, const v1::Cmd& cmd) override {
    GuestContainerSpec spec;
    spec.config.set_id(id);
    *spec.config.mutable_cmd() = cmd;
    return spec;
  }

 private:
  IoThread io_;
  NoopAgent agent_{io_};
  SocketMachine machine_{NoChannel};
};

INSTANTIATE_TEST_SUITE_P(Noop, AgentContractTest,
                         ::testing::Values(AgentContractParam{"Noop",
                                                              [] { return std::make_unique<NoopContractGuest>(); }}),
                         AgentContractName);

TEST(NoopAgentTest, TakesAnUnknownContainerForOneOfBeforeTheDaemonsRestart) {
  const CallContext context{absl::Now() + absl::Seconds(20)};
  NoopContractGuest guest;
  RecordingObserver observer;
  auto session = *guest.agent().Connect({"p1", "p1"}, guest.machine(), observer, context);
  session->Observe();
  EXPECT_EQ(session->StartContainer("held", context), absl::OkStatus());
  EXPECT_EQ(session->Signal({"running", ""}, SIGTERM, false, context), absl::OkStatus());
  const std::optional<v1::ExitStatus> exit = observer.WaitForExit({"running", ""});
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code(), 128 + SIGTERM);
}

TEST(NoopAgentTest, SaysWhatToUseForProcesses) {
  const CallContext context{absl::Now() + absl::Seconds(20)};
  NoopContractGuest guest;
  RecordingObserver observer;
  auto session = *guest.agent().Connect({"p1", "p1"}, guest.machine(), observer, context);
  const absl::Status status = session->Exec({"c1", "p1"}, v1::Cmd(), context).status();
  EXPECT_EQ(status.message(),
            "process p1 of container c1: exec: the agent noop runs no processes; create the pod with the agent native");
  EXPECT_EQ(DetailOf(status)->reason, v1::ERROR_REASON_NOT_IMPLEMENTED);
}

TEST(NoopAgentTest, OtherSignalsDoNotEndAContainer) {
  const CallContext context{absl::Now() + absl::Seconds(20)};
  NoopContractGuest guest;
  RecordingObserver observer;
  auto session = *guest.agent().Connect({"p1", "p1"}, guest.machine(), observer, context);
  session->Observe();
  EXPECT_EQ(session->Signal({"c1", ""}, SIGUSR1, false, context), absl::OkStatus());
  EXPECT_EQ(session->Signal({"c1", ""}, SIGINT, false, context), absl::OkStatus());
  EXPECT_EQ(observer.WaitForExit({"c1", ""})->code(), 128 + SIGINT);
  EXPECT_EQ(session->Signal({"c1", "p1"}, SIGINT, false, context).code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace vcd

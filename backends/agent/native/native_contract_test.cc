// SPDX-License-Identifier: Apache-2.0
// The agent's contract, over a socket pair with a guest in this process.
#include "backends/agent/native/native_agent.h"
#include "core/agent/testing/agent_contract.h"
#include "core/agent/testing/scripted_guest.h"
#include "core/agent/testing/socket_machine.h"
#include "gtest/gtest.h"

namespace vcd {
namespace {

class ScriptedContractGuest : public AgentContractGuest {
 public:
  // The guest writes that many bytes at a time; 0 is all at once.
  explicit ScriptedContractGuest(size_t piece) : piece_(piece) {}

  Agent& agent() override { return agent_; }
  VirtualMachine& machine() override { return machine_; }
  IoThread& io() override { return io_; }
  GuestContainerSpec Container(const std::string& id, const v1::Cmd& cmd) override {
    GuestContainerSpec spec;
    spec.config.set_id(id);
    *spec.config.mutable_cmd() = cmd;
    return spec;
  }
  bool HasFiles() override { return false; }

 private:
  absl::StatusOr<UniqueFd> NewConnection() {
    auto ends = SocketPair();
    if (!ends.ok()) return ends.status();
    scripted_.reset();
    scripted_ = std::make_unique<ScriptedGuest>(std::move(ends->second), guest_, piece_);
    return std::move(ends->first);
  }

  const size_t piece_;
  IoThread io_;
  SimulatedGuest guest_;
  std::unique_ptr<ScriptedGuest> scripted_;
  NativeAgent agent_{io_};
  SocketMachine machine_{[this] { return NewConnection(); }};
};

INSTANTIATE_TEST_SUITE_P(
    Native, AgentContractTest,
    ::testing::Values(AgentContractParam{"Whole", [] { return std::make_unique<ScriptedContractGuest>(0); }},
                      AgentContractParam{"InPieces", [] { return std::make_unique<ScriptedContractGuest>(61); }}),
    AgentContractName);

}  // namespace
}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_AGENT_TESTING_AGENT_CONTRACT_H_
#define VCD_CORE_AGENT_TESTING_AGENT_CONTRACT_H_

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "core/agent/agent.h"
#include "core/agent/testing/recording_observer.h"
#include "core/os/io_thread.h"
#include "gtest/gtest.h"

namespace vcd {

// One guest and the agent to talk to it, for a test of the contract.
class AgentContractGuest {
 public:
  virtual ~AgentContractGuest() = default;

  // Every connection through these reaches the same guest.
  virtual Agent& agent() = 0;
  virtual VirtualMachine& machine() = 0;
  virtual IoThread& io() = 0;
  virtual GuestSpec Spec() { return {"pod-1", "host-1"}; }

  // A container that runs this command, with a root file system that has it.
  virtual GuestContainerSpec Container(const std::string& id, const v1::Cmd& cmd) = 0;

  // Commands; `Print` writes to both streams, `Flood` that many bytes to stdout, `Cat` is interactive. The paths of
  // SimulatedGuest's programs unless told otherwise.
  virtual v1::Cmd RunForever() { return Command({"sleep"}); }
  virtual v1::Cmd Print(const std::string& out, const std::string& err) { return Command({"print", out, err}); }
  virtual v1::Cmd Exit(int code) { return Command({"exit", std::to_string(code)}); }
  virtual v1::Cmd Flood(int bytes) { return Command({"flood", std::to_string(bytes)}); }
  virtual v1::Cmd Missing() { return Command({"missing"}); }
  virtual v1::Cmd NotExecutable() { return Command({"locked"}); }
  // On a terminal: writes its size as a line ROWS COLUMNS, at once and when that changes, and ends with its input.
  virtual v1::Cmd ShowSize() { return Command({"size"}); }
  v1::Cmd OnTerminal(v1::Cmd cmd) {
    cmd.set_terminal(true);
    cmd.set_interactive(true);
    return cmd;
  }
  // Takes memory until it is ended for that; without arguments where the guest cannot do that.
  virtual v1::Cmd Hog() { return Command({"hog"}); }
  // Whether its containers can be limited: their control groups have controllers.
  virtual bool HasLimits() { return true; }
  // Whether its containers have files to be packed, where its agent can do that.
  virtual bool HasFiles() { return true; }
  // Whether the ports of its loopback interface are those of this machine.
  virtual bool HasPortsOfThisMachine() { return false; }
  v1::Cmd Cat() {
    v1::Cmd cmd = Command({"cat"});
    cmd.set_interactive(true);
    return cmd;
  }

  static v1::Cmd Command(std::initializer_list<std::string> args) {
    v1::Cmd cmd;
    for (const std::string& arg : args) cmd.add_args(arg);
    return cmd;
  }
};

struct AgentContractParam {
  std::string name;
  std::function<std::unique_ptr<AgentContractGuest>()> make;
  // Not null: the guest cannot be had here, and the tests are skipped for this reason.
  std::function<std::string()> skip_reason = nullptr;
};

inline void PrintTo(const AgentContractParam& param, std::ostream* out) { *out << param.name; }

// What every agent promises (core/agent/agent.h). An agent's test says
//   INSTANTIATE_TEST_SUITE_P(Name, AgentContractTest, ::testing::Values(AgentContractParam{…}), AgentContractName);
// Tests about processes pass at once for an agent that runs none.
class AgentContractTest : public ::testing::TestWithParam<AgentContractParam> {
 protected:
  void SetUp() override;
  void TearDown() override;

  // In place of the session before; the observer is told.
  void Connect();
  GuestSession& session() { return *session_; }
  bool RunsProcesses() { return guest_->agent().capabilities().runs_processes; }

  // Makes and starts a container.
  absl::Status Run(const std::string& id, const v1::Cmd& cmd);
  // Writes and waits for `done`.
  absl::Status Write(const ProcessKey& process, const std::string& data, bool close);

  const ProcessKey kFirst{"c1", ""};
  const ProcessKey kSecond{"c1", "p1"};
  std::unique_ptr<AgentContractGuest> guest_;
  // One per connection: a reconnection may repeat output.
  std::unique_ptr<RecordingObserver> observer_;
  std::unique_ptr<GuestSession> session_;
  CallContext context_;
};

inline std::string AgentContractName(const ::testing::TestParamInfo<AgentContractParam>& info) {
  return info.param.name;
}

}  // namespace vcd

#endif  // VCD_CORE_AGENT_TESTING_AGENT_CONTRACT_H_

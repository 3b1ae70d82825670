// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_TESTING_AGENT_FIXTURE_H_
#define VCD_GUEST_AGENT_TESTING_AGENT_FIXTURE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "guest/agent/outcome.h"
#include "guest/agent/testing/agent_peer.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd::guest {

// `/bin/sh -c script`.
::vcd::agent::v1::Command Shell(const std::string& script);

// An agent of its own for each test, as a process on a socket pair: with real namespaces and control groups, and a root
// file system of busybox. Skips where it is not root, or busybox is missing.
class AgentFixture : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // Requests, and the agent's replies.
  ::vcd::agent::v1::Reply Create(const std::string& id, const ::vcd::agent::v1::Command& command,
                                 bool readonly = false);
  ::vcd::agent::v1::Reply Start(const std::string& id);
  ::vcd::agent::v1::Reply Remove(const std::string& id);
  ::vcd::agent::v1::Reply Exec(const std::string& id, const std::string& process,
                               const ::vcd::agent::v1::Command& command);
  ::vcd::agent::v1::Reply Signal(const std::string& id, int signal, const std::string& process = "", bool all = false);
  ::vcd::agent::v1::Reply Resize(const std::string& id, uint32_t columns, uint32_t rows,
                                 const std::string& process = "");
  ::vcd::agent::v1::Reply RemoveProcess(const std::string& id, const std::string& process);
  void SendInput(const std::string& id, uint64_t offset, const std::string& data, bool close,
                 const std::string& process = "");

  // Runs a container to its end.
  ::vcd::agent::v1::ExitInfo Run(const std::string& id, const ::vcd::agent::v1::Command& command,
                                 bool readonly = false);
  // A container that just runs.
  void RunSleeper(const std::string& id);

  std::string directory_;
  std::string root_;
  std::unique_ptr<AgentPeer> peer_;

 private:
  void MakeRoot();
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_TESTING_AGENT_FIXTURE_H_

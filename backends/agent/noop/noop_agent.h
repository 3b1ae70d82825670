// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_AGENT_NOOP_NOOP_AGENT_H_
#define VCD_BACKENDS_AGENT_NOOP_NOOP_AGENT_H_

#include <memory>

#include "core/agent/agent.h"
#include "core/os/io_thread.h"

namespace vcd {

// No agent at all: containers are entries in a list, without processes, for machines that cannot be talked to and for
// trying an orchestrator. SIGTERM, SIGINT or SIGKILL ends a container as if a first process had been there; Exec and
// WriteInput are kUnimplemented. The machine is not asked for anything.
//
// Nothing keeps the list but the session. So after a restart of the daemon `info()` tells of no process, and a
// container that the session has not heard of is taken for one of before: it may be started once, signalled and
// removed. Thread-safe. `io` outlives the agent and its sessions.
class NoopAgent : public Agent {
 public:
  explicit NoopAgent(IoThread& io) : io_(io) {}

  AgentCapabilities capabilities() const override { return {.runs_processes = false}; }
  absl::StatusOr<std::unique_ptr<GuestSession>> Connect(const GuestSpec& spec, VirtualMachine& machine,
                                                        GuestObserver& observer, const CallContext& context) override;

 private:
  IoThread& io_;
};

}  // namespace vcd

#endif  // VCD_BACKENDS_AGENT_NOOP_NOOP_AGENT_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_AGENT_NATIVE_NATIVE_AGENT_H_
#define VCD_BACKENDS_AGENT_NATIVE_NATIVE_AGENT_H_

#include <memory>

#include "core/agent/agent.h"
#include "core/os/io_thread.h"

namespace vcd {

// Talks to vcd-agent (guest/agent) over the machine's agent channel, in the protocol of proto/vcd/agent/v1. One HELLO
// is enough, however early: QEMU takes nothing from the socket until the guest has opened its port. Thread-safe. `io`
// outlives the agent and its sessions.
class NativeAgent : public Agent {
 public:
  explicit NativeAgent(IoThread& io) : io_(io) {}

  AgentCapabilities capabilities() const override { return {.runs_processes = true}; }
  absl::StatusOr<std::unique_ptr<GuestSession>> Connect(const GuestSpec& spec, VirtualMachine& machine,
                                                        GuestObserver& observer, const CallContext& context) override;

 private:
  IoThread& io_;
};

}  // namespace vcd

#endif  // VCD_BACKENDS_AGENT_NATIVE_NATIVE_AGENT_H_

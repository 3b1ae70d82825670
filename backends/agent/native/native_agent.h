// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_AGENT_NATIVE_NATIVE_AGENT_H_
#define VCD_BACKENDS_AGENT_NATIVE_NATIVE_AGENT_H_

#include <memory>

#include "absl/time/time.h"
#include "backends/agent/native/link_budget.h"
#include "core/agent/agent.h"
#include "core/os/io_thread.h"

namespace vcd {

// Talks to vcd-agent (guest/agent) over the machine's agent channel, in the protocol of proto/vcd/agent/v1. One HELLO
// is enough, however early: QEMU takes nothing from the socket until the guest has opened its port. Thread-safe. `io`
// outlives the agent and its sessions.
class NativeAgent : public Agent {
 public:
  struct Options {
    // A HELLO may wait in the socket while the guest boots. Answered after that long, its time of day is wrong by as
    // much, and it is said once more.
    absl::Duration hello_freshness = absl::Milliseconds(50);
    // When nothing has come by then, it hangs up and comes anew: to be safe, should a connection that was lost on the
    // way be all that is wrong.
    absl::Duration hello_patience = absl::Seconds(5);
  };

  explicit NativeAgent(IoThread& io) : NativeAgent(io, Options()) {}
  NativeAgent(IoThread& io, const Options& options) : io_(io), options_(options) {}

  AgentCapabilities capabilities() const override {
    return {.runs_processes = true, .networks = true, .dials = true, .archives = true, .start_hooks = true};
  }
  absl::StatusOr<std::unique_ptr<GuestSession>> Connect(const GuestSpec& spec, VirtualMachine& machine,
                                                        GuestObserver& observer, const CallContext& context) override;

 private:
  absl::StatusOr<std::unique_ptr<GuestSession>> TryConnect(const GuestSpec& spec, VirtualMachine& machine,
                                                           GuestObserver& observer, const CallContext& context);

  IoThread& io_;
  const Options options_;
  const std::shared_ptr<LinkBudget> budget_ = std::make_shared<LinkBudget>();
};

}  // namespace vcd

#endif  // VCD_BACKENDS_AGENT_NATIVE_NATIVE_AGENT_H_

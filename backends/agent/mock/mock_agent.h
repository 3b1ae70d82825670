// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_AGENT_MOCK_MOCK_AGENT_H_
#define VCD_BACKENDS_AGENT_MOCK_MOCK_AGENT_H_

#include <map>
#include <memory>
#include <string>

#include "backends/agent/mock/mock_guest.h"
#include "backends/mock/mock_control.h"
#include "core/agent/agent.h"
#include "core/os/io_thread.h"
#include "core/os/mutex.h"

namespace vcd {

// Plays the guests of mock machines: containers with processes that write, read, wait and end as their programs say
// (core/agent/simulation/simulated_program.h), without a process, a link or a root file system. A guest outlives the
// daemon as a real one does: its processes go on in time, and their pids, exits and unacknowledged output are in a file
// beside the machine's. What goes wrong is MockControl's to say. Thread-safe. `io` outlives it and its sessions.
class MockAgent : public Agent {
 public:
  // Without a control nothing ever goes wrong. Share it with the machines.
  explicit MockAgent(IoThread& io, std::shared_ptr<MockControl> control = nullptr);

  AgentCapabilities capabilities() const override {
    return {.runs_processes = true, .simulates_guest = true, .networks = true};
  }
  absl::StatusOr<std::unique_ptr<GuestSession>> Connect(const GuestSpec& spec, VirtualMachine& machine,
                                                        GuestObserver& observer, const CallContext& context) override;

 private:
  // The one that lives, or what its file says.
  std::shared_ptr<MockGuest> Find(const GuestSpec& spec, const std::string& machine) ABSL_LOCKS_EXCLUDED(mu_);

  IoThread& io_;
  const std::shared_ptr<MockControl> control_;
  Mutex mu_;
  // By run directory: two objects must not be views of one file. Guests that are gone are dropped now and then.
  std::map<std::string, std::weak_ptr<MockGuest>> guests_ ABSL_GUARDED_BY(mu_);
  size_t sweep_at_ ABSL_GUARDED_BY(mu_) = 64;
};

}  // namespace vcd

#endif  // VCD_BACKENDS_AGENT_MOCK_MOCK_AGENT_H_

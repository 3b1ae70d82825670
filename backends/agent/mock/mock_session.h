// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_AGENT_MOCK_MOCK_SESSION_H_
#define VCD_BACKENDS_AGENT_MOCK_MOCK_SESSION_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "backends/agent/mock/mock_guest.h"
#include "backends/mock/mock_behavior.h"
#include "backends/mock/mock_control.h"
#include "core/agent/agent.h"
#include "core/agent/simulation/simulated_guest.h"
#include "core/os/io_thread.h"

namespace vcd {

// Speaks with a MockGuest by calling it, after MockControl had its say. Thread-safe; `io` outlives it.
class MockSession : public GuestSession {
 public:
  MockSession(IoThread& io, std::shared_ptr<MockControl> control, std::shared_ptr<MockGuest> guest,
              GuestObserver& observer, std::string pod_id);
  ~MockSession() override;

  const GuestInfo& info() const override { return info_; }
  void Observe() override;
  absl::StatusOr<int32_t> CreateContainer(const GuestContainerSpec& spec, const CallContext& context) override;
  absl::Status StartContainer(const std::string& container_id, const CallContext& context) override;
  absl::Status RemoveContainer(const std::string& container_id, const CallContext& context) override;
  absl::StatusOr<int32_t> Exec(const ProcessKey& process, const v1::Cmd& cmd, const CallContext& context) override;
  absl::Status Signal(const ProcessKey& process, int signal, bool all, const CallContext& context) override;
  absl::Status ResizeTerminal(const ProcessKey& process, const v1::TerminalSize& size,
                              const CallContext& context) override;
  absl::StatusOr<std::vector<v1::ProcessInfo>> ListProcesses(const std::string& container_id,
                                                             const CallContext& context) override;
  absl::StatusOr<GuestUsage> GetUsage(const std::string& container_id, const CallContext& context) override;
  absl::Status UpdateResources(const std::string& container_id, const v1::ContainerResources& change,
                               const v1::ContainerResources& all, const CallContext& context) override;
  absl::Status SetCpus(uint32_t count, const CallContext& context) override;
  absl::Status SetClock(const CallContext& context) override;
  absl::Status SetInterface(const v1::PodInterface& interface, const CallContext& context) override;
  absl::Status RemoveInterface(const std::string& mac, const CallContext& context) override;
  void Ping() override;
  uint64_t signs_of_life() const override { return signs_of_life_.load(std::memory_order_relaxed); }
  absl::Status RemoveProcess(const ProcessKey& process, const CallContext& context) override;
  void WriteInput(const ProcessKey& process, std::string data, bool close,
                  std::function<void(absl::Status)> done) override;
  void AcknowledgeOutput(const ProcessKey& process, StdStream stream, uint64_t offset) override;
  absl::Status Shutdown(const CallContext& context) override;

 private:
  class Conversation;

  absl::Status Enter(MockOperation operation, const CallContext& context);
  // As a guest that is there and awake.
  absl::Status Answers() const;
  SimulatedGuest& simulated() { return guest_->simulated(); }

  const std::shared_ptr<MockControl> control_;
  const std::shared_ptr<MockGuest> guest_;
  const std::string pod_id_;
  // What timers and the guest may still call when the session is gone.
  const std::shared_ptr<Conversation> conversation_;
  std::atomic<uint64_t> signs_of_life_{0};
  GuestInfo info_;
};

}  // namespace vcd

#endif  // VCD_BACKENDS_AGENT_MOCK_MOCK_SESSION_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_AGENT_NATIVE_NATIVE_SESSION_H_
#define VCD_BACKENDS_AGENT_NATIVE_NATIVE_SESSION_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backends/agent/native/guest_conversation.h"
#include "core/agent/agent.h"

namespace vcd {

// A conversation with a vcd-agent. Its destructor may run on any thread, but not under a lock that the observer takes.
// Writes that are not done by then end with kUnavailable on the I/O thread, soon after.
class NativeSession : public GuestSession {
 public:
  // `conversation` has met the guest.
  NativeSession(std::string pod_id, GuestInfo info, std::shared_ptr<ObserverGate> gate,
                std::shared_ptr<GuestConversation> conversation)
      : pod_id_(std::move(pod_id)),
        info_(std::move(info)),
        gate_(std::move(gate)),
        conversation_(std::move(conversation)) {}
  ~NativeSession() override;

  const GuestInfo& info() const override { return info_; }
  void Observe() override { conversation_->Observe(); }
  absl::StatusOr<int32_t> CreateContainer(const GuestContainerSpec& spec, const CallContext& context) override;
  absl::Status StartContainer(const std::string& container_id, const CallContext& context) override;
  absl::Status RemoveContainer(const std::string& container_id, const CallContext& context) override;
  absl::StatusOr<int32_t> Exec(const ProcessKey& process, const v1::Cmd& cmd, const CallContext& context) override;
  absl::StatusOr<int32_t> ExecArchive(const ProcessKey& process, const GuestArchive& archive,
                                      const CallContext& context) override;
  absl::StatusOr<int32_t> ExecDial(const ProcessKey& process, const GuestDial& dial,
                                   const CallContext& context) override;
  absl::Status SetInterface(const v1::PodInterface& interface, const CallContext& context) override;
  absl::Status RemoveInterface(const std::string& mac, const CallContext& context) override;
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
  void Ping() override { conversation_->Ping(); }
  uint64_t signs_of_life() const override { return conversation_->frames(); }
  absl::Status RemoveProcess(const ProcessKey& process, const CallContext& context) override;
  void WriteInput(const ProcessKey& process, std::string data, bool close,
                  std::function<void(absl::Status)> done) override;
  void AcknowledgeOutput(const ProcessKey& process, StdStream stream, uint64_t offset) override;
  absl::Status Shutdown(const CallContext& context) override;

 private:
  // Sends it and waits for the answer.
  absl::StatusOr<agent::v1::Reply> Ask(GuestConversation::Request request, absl::string_view step,
                                       const CallContext& context);

  const std::string pod_id_;
  const GuestInfo info_;
  const std::shared_ptr<ObserverGate> gate_;
  const std::shared_ptr<GuestConversation> conversation_;
};

}  // namespace vcd

#endif  // VCD_BACKENDS_AGENT_NATIVE_NATIVE_SESSION_H_

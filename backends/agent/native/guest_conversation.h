// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_AGENT_NATIVE_GUEST_CONVERSATION_H_
#define VCD_BACKENDS_AGENT_NATIVE_GUEST_CONVERSATION_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "backends/agent/native/agent_link.h"
#include "backends/agent/native/process_streams.h"
#include "core/agent/agent.h"
#include "core/agent/observer_gate.h"
#include "core/os/completion.h"
#include "core/os/io_thread.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd {

// The I/O thread's side of a session: says HELLO, pairs replies with requests, keeps the streams of each process in
// order and within their windows. The public methods are for any thread and only leave work to the I/O thread, in
// order; all other state belongs to that thread.
//
// The guest is hostile. What it sends is bounded by the frame size, the windows and the number of requests of ours;
// what breaks the protocol ends the conversation.
class GuestConversation : public AgentLink::Client, public std::enable_shared_from_this<GuestConversation> {
 public:
  // What a request does to the process table once the guest has done it.
  enum class Effect { kNone, kAddProcess, kRemoveProcess, kRemoveContainer };

  struct Request {
    agent::v1::HostMessage message;  // Without its id.
    ProcessKey process;
    Effect effect = Effect::kNone;
    bool interactive = false;     // With kAddProcess.
    bool ends_the_guest = false;  // The end of the conversation is an answer, too.
    Completion<agent::v1::Reply> reply;
  };

  // A HELLO that is answered only after `hello_freshness` is said once more, with the time as it is then.
  GuestConversation(IoThread& io, GuestSpec spec, absl::Duration hello_freshness, std::shared_ptr<ObserverGate> gate)
      : io_(io), spec_(std::move(spec)), hello_freshness_(hello_freshness), gate_(std::move(gate)) {}

  // Says HELLO; `ready` gets what the guest answers, or kUnavailable.
  void Begin(std::shared_ptr<AgentLink> link, Completion<GuestInfo> ready);
  // Tells the observer from now on.
  void Observe();
  // Sends a request. Its reply is kUnavailable when the guest is gone, kResourceExhausted when it does not read.
  void Send(Request request);
  void WriteInput(const ProcessKey& process, std::string data, bool close, InputStream::Done done);
  void AcknowledgeOutput(const ProcessKey& process, StdStream stream, uint64_t offset);
  // Asks for a sign of life, unless the last time is still unanswered.
  void Ping();
  // Frames that have come. Any thread.
  uint64_t frames() const { return frames_.load(std::memory_order_relaxed); }
  // Ends the conversation.
  void Close();

 private:
  struct Process {
    OutputStream out;
    OutputStream err;
    InputStream in;
    std::optional<v1::ExitStatus> exit;
    bool exit_told = false;
    OutputStream& output(StdStream stream) { return stream == StdStream::kStdout ? out : err; }
  };
  struct PendingRequest {
    ProcessKey process;
    Effect effect;
    bool interactive;
    bool ends_the_guest;
    Completion<agent::v1::Reply> reply;
  };
  // Something for the observer that waits for Observe.
  struct Held {
    ProcessKey process;
    std::optional<v1::ExitStatus> exit;  // Otherwise output.
    StdStream stream = StdStream::kStdout;
    uint64_t offset = 0;
    std::string data;
  };

  // AgentLink::Client, on the I/O thread.
  void OnFrame(const std::string& body) override;
  void OnDamage() override;
  void OnDrained() override;
  void OnClosed(const absl::Status& why) override;

  void SayHello();
  void OnHelloAnswer(const agent::v1::HelloAck& ack);
  absl::StatusOr<GuestInfo> Meet(const agent::v1::HelloAck& ack);
  absl::Status OnMessage(agent::v1::GuestMessage& message);
  absl::Status OnReply(uint64_t request_id, const agent::v1::Reply& reply);
  absl::Status OnOutput(agent::v1::Output& output);
  absl::Status OnExit(const ProcessKey& key, const agent::v1::ExitInfo& exit);
  absl::Status OnInputAck(const agent::v1::InputAck& ack);
  absl::Status OnEvent(const agent::v1::GuestEvent& event);

  void SendNow(Request request);
  void Pump();
  void SendReceived();
  void SendAcks();
  void SendInput();
  void FinishWrites(Process& process);
  void AbandonWrites(Process& process, const absl::Status& why);
  void Remove(const ProcessKey& key);
  void Tell(Held held);
  void TellExitWhenComplete(const ProcessKey& key, Process& process);
  void Break(absl::string_view with);
  void Lose(const absl::Status& why);

  IoThread& io_;
  const GuestSpec spec_;
  const absl::Duration hello_freshness_;
  const std::shared_ptr<ObserverGate> gate_;
  std::atomic<uint64_t> frames_{0};

  // The I/O thread's.
  std::shared_ptr<AgentLink> link_;
  std::optional<Completion<GuestInfo>> ready_;  // Until the guest has answered.
  std::string nonce_;
  absl::Time hello_time_;
  int hellos_ = 0;
  absl::Status lost_;
  bool observed_ = false;
  std::deque<Held> held_;
  size_t held_bytes_ = 0;
  uint64_t next_request_id_ = 1;
  uint64_t ping_id_ = 0;  // 0: none is unanswered.
  std::map<uint64_t, PendingRequest> requests_;
  std::map<ProcessKey, Process> processes_;
  uint64_t output_received_ = 0;  // Bytes, of all streams,
  uint64_t received_told_ = 0;    // and how many of them the guest was told of.
  std::set<std::pair<ProcessKey, StdStream>> acks_due_;
  std::set<ProcessKey> inputs_due_;
  ProcessKey last_input_;
};

}  // namespace vcd

#endif  // VCD_BACKENDS_AGENT_NATIVE_GUEST_CONVERSATION_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_AGENT_TESTING_SCRIPTED_GUEST_H_
#define VCD_CORE_AGENT_TESTING_SCRIPTED_GUEST_H_

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/agent/simulation/simulated_guest.h"
#include "core/link/frame_codec.h"
#include "core/os/mutex.h"
#include "core/os/unique_fd.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd {

// The guest's end of an agent link, for a test that writes each word itself. Receive belongs to one thread; the others
// may be called from any.
class GuestPeer {
 public:
  explicit GuestPeer(UniqueFd stream) : stream_(std::move(stream)) {}

  // The next message of the host; nothing at the stream's end, or when none comes for twenty seconds.
  std::optional<agent::v1::HostMessage> Receive();

  // False when the stream has ended.
  bool Send(const agent::v1::GuestMessage& message) ABSL_LOCKS_EXCLUDED(sending_);
  bool SendBytes(const std::string& bytes) ABSL_LOCKS_EXCLUDED(sending_);
  // Bytes are written that many at a time; 0 is all at once.
  void set_piece(size_t bytes) { piece_ = bytes; }

  // Waits for a HELLO and answers it with this table.
  std::optional<agent::v1::Hello> AnswerHello(const std::vector<agent::v1::Process>& processes = {});

  // Waits for a request and answers it with this code.
  std::optional<agent::v1::HostMessage> AnswerRequest(agent::v1::ErrorCode code = agent::v1::ERROR_CODE_OK,
                                                      const std::string& words = "");

  // Ends the stream in both directions; a Receive that waits returns.
  void Hangup();

 private:
  const UniqueFd stream_;
  FrameDecoder decoder_;
  std::atomic<size_t> piece_{0};
  Mutex sending_;
};

// HELLO_ACK for `hello`.
agent::v1::GuestMessage HelloAnswer(const agent::v1::Hello& hello, const std::vector<agent::v1::Process>& processes);

// Two connected stream sockets.
absl::StatusOr<std::pair<UniqueFd, UniqueFd>> SocketPair();

// A whole agent, in this process and without processes: shows a simulated guest to one connection, until the object is
// destroyed or the connection ends.
class ScriptedGuest {
 public:
  // `guest` outlives the object. `piece` as GuestPeer::set_piece.
  ScriptedGuest(UniqueFd stream, SimulatedGuest& guest, size_t piece = 0);
  ~ScriptedGuest();
  ScriptedGuest(const ScriptedGuest&) = delete;
  ScriptedGuest& operator=(const ScriptedGuest&) = delete;

  // Whether it was asked to power off.
  bool powered_off() const { return powered_off_.load(); }

 private:
  void Serve();
  void Hello(const agent::v1::Hello& hello);
  agent::v1::Reply Do(const agent::v1::HostMessage& message);
  void Tell(const SimulatedGuest::Event& event) ABSL_LOCKS_EXCLUDED(mu_);

  GuestPeer peer_;
  SimulatedGuest& guest_;
  std::atomic<bool> powered_off_{false};
  uint64_t attachment_ = 0;  // The thread's.
  Mutex mu_;
  // While a request is being done, what happens waits, so that the reply comes first.
  bool holding_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<agent::v1::GuestMessage> held_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace vcd

#endif  // VCD_CORE_AGENT_TESTING_SCRIPTED_GUEST_H_

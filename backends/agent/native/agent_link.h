// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_AGENT_NATIVE_AGENT_LINK_H_
#define VCD_BACKENDS_AGENT_NATIVE_AGENT_LINK_H_

#include <asio.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/agent/native/link_budget.h"
#include "core/link/frame_codec.h"
#include "core/link/link_limits.h"
#include "core/os/io_thread.h"
#include "core/os/unique_fd.h"

namespace vcd {

// Frames over a connected stream socket. Everything but Open happens on the I/O thread, which all links share: each
// turn of a link is bounded in bytes and in frames, whatever its peer sends. An idle link holds no buffer. The object
// lives as long as someone shares it or an operation of its own is under way.
class AgentLink : public std::enable_shared_from_this<AgentLink>, private LinkBudget::Holder {
 public:
  class Client {
   public:
    virtual ~Client() = default;
    // A whole frame came.
    virtual void OnFrame(const std::string& body) = 0;
    // A frame came damaged, or too long, and was dropped. Told before the frames that came after it.
    virtual void OnDamage() = 0;
    // All that was sent has left, and more may be sent.
    virtual void OnDrained() = 0;
    // The stream has ended; no other call follows.
    virtual void OnClosed(const absl::Status& why) = 0;
  };

  // The most bytes that wait to be sent, those of one frame of the longest kind beside.
  static constexpr size_t kMaxQueuedBytes = size_t{8} << 20;

  // Takes the stream. Any thread. What it holds of an unfinished frame comes out of `budget`.
  static absl::StatusOr<std::shared_ptr<AgentLink>> Open(IoThread& io, UniqueFd stream,
                                                         std::shared_ptr<LinkBudget> budget);

  // Not to be called; see Open.
  AgentLink(asio::generic::stream_protocol::socket socket, std::shared_ptr<LinkBudget> budget)
      : socket_(std::move(socket)), budget_(std::move(budget)) {}

  // Begins to read. The client stays until Close or OnClosed.
  void Start(Client& client);

  // Sends a frame, after a delimiter when `resynchronize`. False, with nothing done, when too much waits already.
  bool Send(std::string_view body, bool resynchronize = false);

  // Whether something waits to be sent.
  bool busy() const { return !queue_.empty(); }

  // While paused nothing is read nor told: the peer is held up, and its end is not seen.
  void SetReading(bool reading);

  // Ends the stream; the client hears nothing more.
  void Close();

 private:
  void Continue();
  void Read();
  void Deliver();
  void WriteNext();
  void GiveUp() override;
  void Fail(const absl::Status& why);

  asio::generic::stream_protocol::socket socket_;
  const std::shared_ptr<LinkBudget> budget_;
  Client* client_ = nullptr;
  FrameDecoder decoder_{kMaxGuestMessageBytes};
  uint64_t drops_seen_ = 0;
  bool reading_ = true;
  bool undelivered_ = false;       // The decoder may have more frames.
  bool continuing_ = false;        // A wait for bytes, or for the next turn, is under way.
  std::deque<std::string> queue_;  // The first is being written.
  size_t queued_bytes_ = 0;
};

}  // namespace vcd

#endif  // VCD_BACKENDS_AGENT_NATIVE_AGENT_LINK_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_LINK_SERVER_H_
#define VCD_GUEST_AGENT_LINK_SERVER_H_

#include <cstddef>
#include <functional>
#include <string>

#include "core/link/frame_codec.h"
#include "core/os/unique_fd.h"
#include "guest/agent/event_loop.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd::guest {

// The agent's end of the link: frames in, frames out, over a virtio-serial port or, in tests, a socket. Knows nothing
// of what the messages mean.
//
// A port stays open while hosts come and go. The kernel tells of a host's leaving once, by an edge, and of the next
// one's coming likewise; in between reads give nothing and writes are refused. Hence edge-triggered events, and never a
// read that is repeated after it gave nothing.
class LinkServer {
 public:
  struct Handler {
    std::function<void(const ::vcd::agent::v1::HostMessage&)> message;
    std::function<void()> writable;  // queued() has become less.
    // The stream is at its end. Means nothing on a port: the guest's kernel hears of a new host's first bytes before it
    // hears that there is a new host, so a HELLO can be read just before the end that belongs to the host before it.
    std::function<void()> disconnected;
  };

  LinkServer(EventLoop* loop, UniqueFd fd, Handler handler);
  ~LinkServer();
  LinkServer(const LinkServer&) = delete;
  LinkServer& operator=(const LinkServer&) = delete;

  // Queues a message and sends what the link takes at once.
  void Send(const ::vcd::agent::v1::GuestMessage& message);

  // Forgets what is queued, which was for the connection before, and ends the frame that may be half out.
  void Restart();

  // Bytes that wait for the link.
  size_t queued() const { return out_.size() - out_head_; }

 private:
  void OnEvents(uint32_t events);
  void Read();
  void Flush();
  void Dispatch();

  EventLoop* const loop_;
  const Handler handler_;
  const UniqueFd fd_;
  EventLoop::WatchId watch_ = 0;
  FrameDecoder decoder_;
  std::string out_;
  size_t out_head_ = 0;
  bool reading_paused_ = false;
  EventLoop::TimerId resume_ = 0;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_LINK_SERVER_H_

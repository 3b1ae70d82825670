// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/link_server.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>

namespace vcd::guest {
namespace {

// A host that asks and does not listen to the answers is not read from any more, or the answers would fill the guest.
constexpr size_t kMaxQueued = size_t{4} << 20;

}  // namespace

LinkServer::LinkServer(EventLoop* loop, UniqueFd fd, Handler handler)
    : loop_(loop), handler_(std::move(handler)), fd_(std::move(fd)) {
  ::fcntl(fd_.get(), F_SETFL, ::fcntl(fd_.get(), F_GETFL) | O_NONBLOCK);
  // A request must not wait until what all processes have printed is read.
  watch_ = loop_->WatchUrgently(fd_.get(), EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLET,
                                [this](uint32_t events) { OnEvents(events); });
}

LinkServer::~LinkServer() {
  loop_->Cancel(resume_);
  loop_->Unwatch(watch_);
}

void LinkServer::OnEvents(uint32_t events) {
  if ((events & EPOLLOUT) != 0) Flush();
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) Read();
}

void LinkServer::Read() {
  // A port cannot tell a connection's end from its beginning, so bytes are taken as they come; HELLO sorts them out.
  char chunk[32 << 10];
  while (true) {
    reading_paused_ = queued() > kMaxQueued;
    if (reading_paused_) return;
    const ssize_t got = ::read(fd_.get(), chunk, sizeof(chunk));
    if (got > 0) {
      decoder_.Feed(std::string_view(chunk, static_cast<size_t>(got)));
      Dispatch();
    } else if (got < 0 && errno == EINTR) {
      continue;
    } else if (got < 0 && errno == EAGAIN) {
      return;
    } else {
      handler_.disconnected();
      return;
    }
  }
}

void LinkServer::Dispatch() {
  while (const auto body = decoder_.Next()) {
    ::vcd::agent::v1::HostMessage message;
    // Garbage with a good checksum is a host of another mind; there is no one to tell, and the next frame may be fine.
    if (message.ParseFromString(*body)) handler_.message(message);
  }
}

void LinkServer::Send(const ::vcd::agent::v1::GuestMessage& message) {
  AppendFrame(message.SerializeAsString(), &out_);
  Flush();
}

void LinkServer::Restart() {
  out_.assign(1, kFrameDelimiter);
  out_head_ = 0;
}

void LinkServer::Flush() {
  const size_t before = queued();
  while (queued() > 0) {
    const ssize_t put = ::write(fd_.get(), out_.data() + out_head_, queued());
    if (put > 0) {
      out_head_ += static_cast<size_t>(put);
    } else if (put < 0 && errno == EINTR) {
      continue;
    } else {
      break;  // Full, or nobody there: an edge tells when that changes.
    }
  }
  if (queued() == 0) {
    std::string().swap(out_);
    out_head_ = 0;
  } else if (out_head_ > out_.size() / 2) {
    out_.erase(0, out_head_);
    out_head_ = 0;
  }
  if (queued() < before) handler_.writable();
  if (reading_paused_ && queued() <= kMaxQueued) {
    reading_paused_ = false;
    resume_ = loop_->After(std::chrono::milliseconds(0), [this] { Read(); });
  }
}

}  // namespace vcd::guest

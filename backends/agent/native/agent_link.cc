// SPDX-License-Identifier: Apache-2.0
#include "backends/agent/native/agent_link.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"

namespace vcd {

namespace {

constexpr size_t kReadBytes = size_t{64} << 10;

// Frames that are told in one turn. Of output, that is more than a read brings; of frames as small as they get, a read
// brings thousands.
constexpr int kFramesPerTurn = 64;

// What of ours may wait in the socket: a request that goes next in our queue is not to stand behind more in the
// kernel's. The kernel doubles it, for its own bookkeeping.
constexpr int kSendBufferBytes = 32 << 10;

}  // namespace

absl::StatusOr<std::shared_ptr<AgentLink>> AgentLink::Open(IoThread& io, UniqueFd stream,
                                                           std::shared_ptr<LinkBudget> budget) {
  int domain = 0;
  socklen_t size = sizeof(domain);
  if (getsockopt(stream.get(), SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) {
    return PosixError(errno, "agent link: getsockopt SO_DOMAIN");
  }
  asio::generic::stream_protocol::socket socket(io.context());
  asio::error_code error;
  socket.assign(asio::generic::stream_protocol(domain, 0), stream.get(), error);
  if (error) return absl::InternalError(absl::StrCat("agent link: watch the stream: ", error.message()));
  (void)stream.Release();
  socket.set_option(asio::socket_base::send_buffer_size(kSendBufferBytes), error);  // Some streams have none.
  socket.non_blocking(true, error);
  if (error) return absl::InternalError(absl::StrCat("agent link: make the stream non-blocking: ", error.message()));
  return std::make_shared<AgentLink>(std::move(socket), std::move(budget));
}

void AgentLink::Start(Client& client) {
  client_ = &client;
  Continue();
}

bool AgentLink::Send(std::string_view body, bool resynchronize) {
  if (client_ == nullptr || queued_bytes_ > kMaxQueuedBytes) return false;
  std::string bytes;
  if (resynchronize) bytes.push_back(kFrameDelimiter);
  AppendFrame(body, &bytes);
  queued_bytes_ += bytes.size();
  queue_.push_back(std::move(bytes));
  if (queue_.size() == 1) WriteNext();
  return true;
}

void AgentLink::SetReading(bool reading) {
  reading_ = reading;
  if (client_ != nullptr) Continue();
}

void AgentLink::Close() {
  client_ = nullptr;
  budget_->Release(*this);
  asio::error_code ignored;
  socket_.close(ignored);
}

void AgentLink::Continue() {
  if (!reading_ || continuing_) return;
  continuing_ = true;
  const auto next = [self = shared_from_this()](const asio::error_code& error) {
    self->continuing_ = false;
    if (self->client_ == nullptr) return;
    if (error) return self->Fail(absl::UnavailableError(error.message()));
    if (!self->reading_) return;
    if (self->undelivered_) return self->Deliver();
    self->Read();
  };
  if (undelivered_) {
    // Behind what other links have to do.
    asio::post(socket_.get_executor(), [next] { next({}); });
  } else {
    socket_.async_wait(asio::socket_base::wait_read, next);
  }
}

void AgentLink::Read() {
  char buffer[kReadBytes];
  asio::error_code error;
  const size_t size = socket_.read_some(asio::buffer(buffer), error);
  if (error && error != asio::error::would_block && error != asio::error::interrupted) {
    return Fail(absl::UnavailableError(error == asio::error::eof ? "it closed the link" : error.message()));
  }
  decoder_.Feed(std::string_view(buffer, size));
  budget_->Hold(*this, decoder_.unfinished());
  if (client_ != nullptr) Deliver();
}

// Ends early when the client closes or pauses the link.
void AgentLink::Deliver() {
  undelivered_ = true;
  for (int frame = 0; frame < kFramesPerTurn && reading_ && undelivered_; ++frame) {
    const std::optional<std::string> body = decoder_.Next();
    if (decoder_.dropped_frames() > drops_seen_) {
      drops_seen_ = decoder_.dropped_frames();
      client_->OnDamage();
      if (client_ == nullptr) return;
    }
    undelivered_ = body.has_value();
    if (!body.has_value()) break;
    client_->OnFrame(*body);
    if (client_ == nullptr) return;
  }
  Continue();
}

void AgentLink::WriteNext() {
  asio::async_write(socket_, asio::buffer(queue_.front()),
                    [self = shared_from_this()](const asio::error_code& error, size_t) {
                      if (self->client_ == nullptr) return;
                      if (error) return self->Fail(absl::UnavailableError(error.message()));
                      self->queued_bytes_ -= self->queue_.front().size();
                      self->queue_.pop_front();
                      if (!self->queue_.empty()) return self->WriteNext();
                      self->client_->OnDrained();
                    });
}

void AgentLink::GiveUp() {
  Fail(absl::UnavailableError(absl::StrCat("it did not finish a message of which ", decoder_.unfinished(),
                                           " bytes had come, and other guests needed the memory")));
}

void AgentLink::Fail(const absl::Status& why) {
  Client* client = client_;
  Close();
  if (client != nullptr) client->OnClosed(why);
}

}  // namespace vcd

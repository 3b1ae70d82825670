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

// Delimiters right after another. Peers send them to be in step again; they are not damage.
uint64_t CountEmptyFrames(std::string_view bytes, char before) {
  uint64_t count = 0;
  for (const char byte : bytes) {
    if (byte == kFrameDelimiter && before == kFrameDelimiter) ++count;
    before = byte;
  }
  return count;
}

}  // namespace

absl::StatusOr<std::shared_ptr<AgentLink>> AgentLink::Open(IoThread& io, UniqueFd stream) {
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
  socket.non_blocking(true, error);
  if (error) return absl::InternalError(absl::StrCat("agent link: make the stream non-blocking: ", error.message()));
  return std::make_shared<AgentLink>(std::move(socket));
}

void AgentLink::Start(Client& client) {
  client_ = &client;
  WaitReadable();
}

bool AgentLink::Send(std::string_view body, bool resynchronize) {
  if (client_ == nullptr || queued_bytes_ > kMaxQueuedBytes) return false;
  std::string bytes = EncodeFrame(body);
  if (resynchronize) bytes.insert(0, 1, kFrameDelimiter);
  queued_bytes_ += bytes.size();
  queue_.push_back(std::move(bytes));
  if (queue_.size() == 1) WriteNext();
  return true;
}

void AgentLink::SetReading(bool reading) {
  reading_ = reading;
  if (client_ != nullptr) WaitReadable();
}

void AgentLink::Close() {
  client_ = nullptr;
  asio::error_code ignored;
  socket_.close(ignored);
}

void AgentLink::WaitReadable() {
  if (!reading_ || waiting_) return;
  waiting_ = true;
  socket_.async_wait(asio::socket_base::wait_read, [self = shared_from_this()](const asio::error_code& error) {
    self->waiting_ = false;
    if (self->client_ == nullptr) return;
    if (error) return self->Fail(absl::UnavailableError(error.message()));
    if (self->reading_) self->Read();
  });
}

void AgentLink::Read() {
  // One read each time, so that a guest that talks a lot does not keep the thread from the others.
  char buffer[kReadBytes];
  asio::error_code error;
  const size_t size = socket_.read_some(asio::buffer(buffer), error);
  if (error && error != asio::error::would_block && error != asio::error::interrupted) {
    return Fail(absl::UnavailableError(error == asio::error::eof ? "it closed the link" : error.message()));
  }
  if (Deliver(std::string_view(buffer, size)) && client_ != nullptr) WaitReadable();
}

// False when the client closed the link meanwhile.
bool AgentLink::Deliver(std::string_view bytes) {
  drops_seen_ += CountEmptyFrames(bytes, last_byte_);
  if (!bytes.empty()) last_byte_ = bytes.back();
  decoder_.Feed(bytes);
  while (std::optional<std::string> body = decoder_.Next()) {
    client_->OnFrame(*body);
    if (client_ == nullptr) return false;
  }
  if (decoder_.dropped_frames() > drops_seen_) {
    drops_seen_ = decoder_.dropped_frames();
    client_->OnDamage();
  }
  return client_ != nullptr;
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

void AgentLink::Fail(const absl::Status& why) {
  Client* client = client_;
  Close();
  if (client != nullptr) client->OnClosed(why);
}

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "client/forward/forwarded_connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "client/posix/output.h"

namespace vcd::client {
namespace {

constexpr size_t kChunkBytes = 64 << 10;

v1::PortForwardRequest FirstRequest(const v1::PortForwardRequest::Start& start) {
  v1::PortForwardRequest request;
  *request.mutable_start() = start;
  return request;
}

}  // namespace

ForwardedConnection::ForwardedConnection(std::unique_ptr<PortForwardStream> stream,
                                         const v1::PortForwardRequest::Start& start, UniqueFd socket)
    : stream_(std::move(stream)),
      socket_(std::move(socket)),
      thread_([this, first = FirstRequest(start)] { Run(first); }) {}

ForwardedConnection::~ForwardedConnection() {
  GiveUp();
  if (thread_.joinable()) thread_.join();
}

absl::Status ForwardedConnection::Result() {
  if (thread_.joinable()) thread_.join();
  return result_;
}

void ForwardedConnection::Run(const v1::PortForwardRequest& first) {
  stream_->Open(first);
  v1::PortForwardResponse response;
  if (stream_->Read(&response) && response.connected()) {
    std::thread upload([this] { Upload(); });
    if (!Download()) GiveUp();
    stop_.Set();
    upload.join();
  }
  const absl::Status ended = stream_->Finish();
  if (!given_up_) result_ = ended;
  // The peer here learns of the end, also before somebody asks for the result.
  ::shutdown(socket_.get(), SHUT_RDWR);
  done_.Set();
}

bool ForwardedConnection::Download() {
  v1::PortForwardResponse response;
  while (stream_->Read(&response)) {
    if (response.closed()) ::shutdown(socket_.get(), SHUT_WR);
    if (!response.data().empty() && WriteFully(socket_.get(), response.data(), stop_.fd()) != 0) return false;
  }
  return true;
}

void ForwardedConnection::Upload() {
  v1::PortForwardRequest request;
  std::string chunk(kChunkBytes, '\0');
  while (WaitReadable({stop_.fd(), socket_.get()}) != 0) {
    const ssize_t got = ::read(socket_.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return GiveUp();
    if (got == 0) {
      request.set_close(true);
    } else {
      request.set_data(chunk.data(), static_cast<size_t>(got));
    }
    // A stream that takes no more has ended, and Download learns how.
    if (!stream_->Write(request) || got == 0) return;
  }
}

void ForwardedConnection::GiveUp() {
  given_up_ = true;
  stop_.Set();
  stream_->Cancel();
}

}  // namespace vcd::client

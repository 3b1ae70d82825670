// SPDX-License-Identifier: Apache-2.0
#include "client/process/attach_session.h"

#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "client/posix/output.h"

namespace vcd::client {
namespace {

constexpr size_t kInputChunkBytes = 64 << 10;

v1::AttachRequest FirstRequest(v1::AttachRequest::Start start) {
  v1::AttachRequest request;
  *request.mutable_start() = std::move(start);
  return request;
}

}  // namespace

AttachSession::AttachSession(std::unique_ptr<AttachStream> stream, v1::AttachRequest::Start start, Streams streams)
    : stream_(std::move(stream)),
      streams_(streams),
      reader_([this, first = FirstRequest(std::move(start))] { ReadStream(first); }) {}

AttachSession::~AttachSession() {
  if (finished_) return;
  Cancel();
  Finish();
}

void AttachSession::ReadStream(const v1::AttachRequest& first) {
  stream_->Open(first);
  v1::AttachResponse response;
  while (stream_->Read(&response)) {
    if (Take(response)) continue;
    // Whatever the daemon would still say is of no use now; and it may wait for our side to end first.
    stream_->Cancel();
    break;
  }
  stop_input_.Set();
  ended_ = true;
  changed_.Set();
}

bool AttachSession::Take(const v1::AttachResponse& response) {
  switch (response.response_case()) {
    case v1::AttachResponse::kAttached:
      attached_ = true;
      changed_.Set();
      return true;
    case v1::AttachResponse::kStdout:
      outcome_.output_errno = WriteFully(streams_.out, response.stdout(), stop_output_.fd());
      return outcome_.output_errno == 0;
    case v1::AttachResponse::kStderr:
      // A closed standard error ends nothing: many programs run without one.
      return WriteFully(streams_.err, response.stderr(), stop_output_.fd()) != ECANCELED;
    case v1::AttachResponse::kExitStatus:
      outcome_.exit_status = response.exit_status();
      return false;
    case v1::AttachResponse::RESPONSE_NOT_SET:
      return true;  // Of a later release of the daemon.
  }
  return true;
}

void AttachSession::SendInput(DetachKeys keys, InputEnd end) {
  input_ = std::thread([this, keys = std::move(keys), end] { ReadInput(keys, end); });
}

void AttachSession::ReadInput(DetachKeys keys, InputEnd end) {
  std::string buffer(kInputChunkBytes, '\0');
  v1::AttachRequest request;
  while (WaitReadable({stop_input_.fd(), streams_.in}) != 0) {
    const ssize_t n = ::read(streams_.in, buffer.data(), buffer.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0 && end == InputEnd::kIsHangUp) {
      hung_up_ = true;
      changed_.Set();
      return;
    }
    if (n <= 0) {  // An error is an end too: there is nobody to tell but the process.
      request.set_close_stdin(true);
      stream_->Write(request);
      return;
    }
    request.set_stdin(keys.Filter(std::string_view(buffer.data(), static_cast<size_t>(n))));
    if (!request.stdin().empty() && !stream_->Write(request)) return;
    if (keys.pressed()) {
      detached_ = true;
      changed_.Set();
      return;
    }
  }
}

void AttachSession::Cancel() {
  stop_output_.Set();
  stop_input_.Set();
  stream_->Cancel();
}

AttachSession::Outcome AttachSession::Finish() {
  if (finished_) return outcome_;
  reader_.join();
  if (input_.joinable()) input_.join();
  const absl::Status status = stream_->Finish();
  if (!outcome_.exit_status && outcome_.output_errno == 0) {
    outcome_.error = status.ok()
                         ? absl::UnavailableError("the daemon ended the stream without an exit status; see its log")
                         : status;
  }
  finished_ = true;
  return outcome_;
}

}  // namespace vcd::client

// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/process_pipes.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/link/link_limits.h"
#include "guest/agent/terminal.h"

namespace vcd::guest {
namespace {

// What a pipe holds at most (/proc/sys/fs/pipe-max-size).
constexpr size_t kMostInPipe = kMaxFinalOutput - kOutputWindow;

// What is read of one at a time, which is what a pipe holds if nobody asked for more.
constexpr size_t kTurn = size_t{64} << 10;

}  // namespace

OutputPipe::OutputPipe(EventLoop* loop, UniqueFd pipe, size_t capacity, std::function<void()> changed)
    : loop_(loop), changed_(std::move(changed)), pipe_(std::move(pipe)), buffer_(capacity) {
  UpdateWatch();
}

OutputPipe::~OutputPipe() { loop_->Unwatch(watch_); }

void OutputPipe::Acknowledge(uint64_t offset) {
  buffer_.Acknowledge(offset);
  UpdateWatch();
}

void OutputPipe::WriterEnded() {
  writer_ended_ = true;
  if (pipe_.valid()) Read();
}

// How much may be read now. Of a process that has ended: what its pipe can hold, not more, for what it left behind may
// go on to write.
size_t OutputPipe::Wanted() const { return writer_ended_ ? kMostInPipe - drained_ : buffer_.room(); }

// Reads until the pipe is empty, no more is wanted, or others are to have their turn: a process may fill its pipe again
// meanwhile.
void OutputPipe::Read() {
  const uint64_t before = buffer_.end();
  char chunk[kOutputChunk];
  while (pipe_.valid() && Wanted() > 0 && (writer_ended_ || buffer_.end() - before < kTurn)) {
    const ssize_t got = ::read(pipe_.get(), chunk, std::min(sizeof(chunk), Wanted()));
    if (got > 0) {
      buffer_.Append(std::string_view(chunk, static_cast<size_t>(got)));
      if (writer_ended_) drained_ += static_cast<size_t>(got);
    } else if (got < 0 && errno == EINTR) {
      continue;
    } else if (got < 0 && errno == EAGAIN && !writer_ended_) {
      break;
    } else {
      error_ = got < 0 ? errno : 0;  // For a terminal EIO is the end.
      Finish();
    }
  }
  if (writer_ended_) Finish();
  if (buffer_.end() != before || !pipe_.valid()) changed_();
}

// Watched only while there is room: level-triggered, a full buffer would wake the loop for ever.
void OutputPipe::UpdateWatch() {
  const bool wanted = pipe_.valid() && buffer_.room() > 0;
  if (wanted == (watch_ != 0)) return;
  if (wanted) {
    watch_ = loop_->Watch(pipe_.get(), EPOLLIN, [this](uint32_t) {
      Read();
      UpdateWatch();
    });
  } else {
    loop_->Unwatch(std::exchange(watch_, 0));
  }
}

void OutputPipe::Finish() {
  loop_->Unwatch(std::exchange(watch_, 0));
  pipe_.Reset();
}

InputPipe::InputPipe(EventLoop* loop, UniqueFd pipe, std::function<void()> taken)
    : loop_(loop),
      taken_(std::move(taken)),
      pipe_(std::move(pipe)),
      queue_(kInputWindow),
      terminal_(pipe_.valid() && ::isatty(pipe_.get()) != 0) {
  if (!pipe_.valid()) queue_.Discard();
}

InputPipe::~InputPipe() { loop_->Unwatch(watch_); }

void InputPipe::Add(uint64_t offset, std::string_view bytes, bool last) {
  const uint64_t before = queue_.taken();
  queue_.Add(offset, bytes, last);
  if (pipe_.valid() && watch_ == 0) Write();
  // Also when all of it was known: the host asks by sending it again.
  if (queue_.taken() != before || !bytes.empty() || last) taken_();
}

void InputPipe::ReaderEnded() {
  queue_.Discard();
  Close();
}

void InputPipe::Write() {
  while (true) {
    const bool input = !queue_.Waiting().empty();
    if (!input && queue_.finished() && terminal_ && !std::exchange(saying_farewell_, true)) {
      farewell_ = EndOfTerminalInput(pipe_.get(), last_);
    }
    const std::string_view bytes = input ? queue_.Waiting() : std::string_view(farewell_);
    if (bytes.empty()) break;
    const ssize_t put = ::write(pipe_.get(), bytes.data(), bytes.size());
    if (put > 0) {
      last_ = bytes[static_cast<size_t>(put) - 1];
      input ? queue_.Take(static_cast<size_t>(put)) : void(farewell_.erase(0, static_cast<size_t>(put)));
    } else if (put == 0 || errno == EAGAIN) {
      if (watch_ == 0) {
        watch_ = loop_->Watch(pipe_.get(), EPOLLOUT, [this](uint32_t) {
          const uint64_t before = queue_.taken();
          Write();
          if (queue_.taken() != before) taken_();
        });
      }
      return;
    } else if (errno != EINTR) {  // EPIPE, of a terminal EIO: nobody reads any more.
      error_ = errno;
      queue_.Discard();
      Close();
      return;
    }
  }
  loop_->Unwatch(std::exchange(watch_, 0));
  if (queue_.finished()) Close();
}

void InputPipe::Close() {
  loop_->Unwatch(std::exchange(watch_, 0));
  // Of a socket this is the end of one way; pipes have no other.
  if (pipe_.valid()) ::shutdown(pipe_.get(), SHUT_WR);
  pipe_.Reset();
}

}  // namespace vcd::guest

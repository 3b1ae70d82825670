// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/process_pipes.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/link/link_limits.h"

namespace vcd::guest {

OutputPipe::OutputPipe(EventLoop* loop, UniqueFd pipe, std::function<void()> changed)
    : loop_(loop), changed_(std::move(changed)), pipe_(std::move(pipe)), buffer_(kOutputWindow) {
  UpdateWatch();
}

OutputPipe::~OutputPipe() { loop_->Unwatch(watch_); }

void OutputPipe::Acknowledge(uint64_t offset) {
  buffer_.Acknowledge(offset);
  if (writer_ended_ && pipe_.valid()) Read();
  UpdateWatch();
}

void OutputPipe::WriterEnded() {
  writer_ended_ = true;
  if (pipe_.valid()) Read();
  UpdateWatch();
}

// Reads until the pipe or the room is exhausted. The room bounds how long this takes.
void OutputPipe::Read() {
  const uint64_t before = buffer_.end();
  char chunk[kOutputChunk];
  while (pipe_.valid() && buffer_.room() > 0) {
    const ssize_t got = ::read(pipe_.get(), chunk, std::min(sizeof(chunk), buffer_.room()));
    if (got > 0) {
      buffer_.Append(std::string_view(chunk, static_cast<size_t>(got)));
    } else if (got < 0 && errno == EINTR) {
      continue;
    } else if (got < 0 && errno == EAGAIN && !writer_ended_) {
      break;
    } else {
      Finish();
    }
  }
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
    : loop_(loop), taken_(std::move(taken)), pipe_(std::move(pipe)), queue_(kInputWindow) {
  if (!pipe_.valid()) queue_.Discard();
}

InputPipe::~InputPipe() { loop_->Unwatch(watch_); }

void InputPipe::Add(uint64_t offset, std::string_view bytes, bool last) {
  const uint64_t before = queue_.taken();
  queue_.Add(offset, bytes, last);
  if (pipe_.valid() && watch_ == 0) Write();
  // Also when all of it was known: the host asks by sending it again.
  if (queue_.taken() != before || !bytes.empty()) taken_();
}

void InputPipe::ReaderEnded() {
  queue_.Discard();
  Close();
}

void InputPipe::Write() {
  while (!queue_.Waiting().empty()) {
    const ssize_t put = ::write(pipe_.get(), queue_.Waiting().data(), queue_.Waiting().size());
    if (put >= 0) {
      queue_.Take(static_cast<size_t>(put));
    } else if (errno == EAGAIN) {
      if (watch_ == 0) {
        watch_ = loop_->Watch(pipe_.get(), EPOLLOUT, [this](uint32_t) {
          const uint64_t before = queue_.taken();
          Write();
          if (queue_.taken() != before) taken_();
        });
      }
      return;
    } else if (errno != EINTR) {  // EPIPE: nobody reads any more.
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
  pipe_.Reset();
}

}  // namespace vcd::guest

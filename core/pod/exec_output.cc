// SPDX-License-Identifier: Apache-2.0
#include "core/pod/exec_output.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace vcd {

ExecOutput::ExecOutput(IoThread& io, Options options, std::function<void(StdStream, uint64_t)> acknowledge)
    : OutputSource(options.stdout_offset, options.stderr_offset),
      io_(io),
      options_(std::move(options)),
      acknowledge_(std::move(acknowledge)) {}

std::unique_ptr<OutputReader> ExecOutput::NewReader(OutputStart start) {
  auto position = std::make_unique<Position>();
  Room room;
  {
    MutexLock lock(&mu_);
    position->next = start == OutputStart::kBeginning ? first_ : first_ + chunks_.size();
    readers_.insert(position.get());
    // Who passes over what is there makes room for more, as one who has read it.
    room = Settle();
  }
  Acknowledge(room);
  return MakeReader(std::move(position));
}

void ExecOutput::Store(StdStream stream, std::string data, uint64_t end_offset) {
  Room room;
  {
    MutexLock lock(&mu_);
    const uint64_t begin = Begin(first_ + chunks_.size());
    const uint64_t end = begin + data.size();
    chunks_.push_back({{stream, std::move(data), absl::Now()}, end_offset, end});
    room = Settle();
  }
  Acknowledge(room);
  WakeReaders();
}

void ExecOutput::Repeated(StdStream stream, uint64_t) {
  uint64_t offset = 0;
  {
    MutexLock lock(&mu_);
    offset = stream == StdStream::kStdout ? told_.stdout_offset : told_.stderr_offset;
  }
  if (offset != 0) acknowledge_(stream, offset);
}

ExecOutput::Readiness ExecOutput::Look(const Cursor& cursor) const {
  const Position& position = static_cast<const Position&>(cursor);
  if (!position.cut.ok() || position.next < first_ + chunks_.size()) return Readiness::kChunk;
  return ended_ ? Readiness::kEnd : Readiness::kWait;
}

absl::StatusOr<OutputChunk> ExecOutput::Take(Cursor& cursor) {
  Position& position = static_cast<Position&>(cursor);
  OutputChunk chunk;
  Room room;
  {
    MutexLock lock(&mu_);
    if (!position.cut.ok()) return position.cut;
    chunk = chunks_[position.next - first_].chunk;
    ++position.next;
    room = Settle();
  }
  Acknowledge(room);
  return chunk;
}

void ExecOutput::Drop(Cursor& cursor) {
  Room room;
  {
    MutexLock lock(&mu_);
    readers_.erase(static_cast<Position*>(&cursor));
    room = Settle();
  }
  Acknowledge(room);
}

uint64_t ExecOutput::Begin(uint64_t number) const {
  return number == first_ ? begin_ : chunks_[number - first_ - 1].end;
}

ExecOutput::Room ExecOutput::Settle() {
  Room room;
  if (readers_.empty()) {
    SetTimer();
    return room;
  }
  uint64_t slowest = UINT64_MAX;
  uint64_t fastest = 0;
  for (const Position* position : readers_) {
    slowest = std::min(slowest, position->next);
    fastest = std::max(fastest, position->next);
  }
  const uint64_t kept_from = Begin(slowest);
  while (acknowledged_ < fastest) {
    const Stored& stored = chunks_[acknowledged_ - first_];
    if (stored.end > kept_from + options_.limits.backlog_bytes) break;
    const bool is_stdout = stored.chunk.stream == StdStream::kStdout;
    (is_stdout ? room.stdout_offset : room.stderr_offset) = stored.end_offset;
    (is_stdout ? told_.stdout_offset : told_.stderr_offset) = stored.end_offset;
    ++acknowledged_;
  }
  WatchThoseBehind(fastest);
  SetTimer();
  while (first_ < std::min(slowest, acknowledged_)) {
    begin_ = chunks_.front().end;
    chunks_.pop_front();
    ++first_;
  }
  return room;
}

void ExecOutput::WatchThoseBehind(uint64_t fastest) {
  // Where those who keep up have to wait, if they do.
  const bool held_up = acknowledged_ < fastest;
  const uint64_t wanted = held_up ? chunks_[acknowledged_ - first_].end : Begin(fastest);
  for (Position* position : readers_) {
    const uint64_t behind = wanted - std::min(wanted, Begin(position->next));
    if (held_up && behind > options_.limits.backlog_bytes) {
      position->behind_since = std::min(position->behind_since, absl::Now());
    } else if (behind <= options_.limits.backlog_bytes / 2) {
      // Not as soon as it is a little less: that would be a reader who slows all others down to its own speed.
      position->behind_since = absl::InfiniteFuture();
    }
  }
}

void ExecOutput::SetTimer() {
  absl::Time due = absl::InfiniteFuture();
  if (!ended_) {
    for (const Position* position : readers_) {
      due = std::min(due, position->behind_since + options_.limits.patience);
    }
  }
  if (due == due_) return;
  due_ = due;
  timer_ = Timer();
  if (due == absl::InfiniteFuture()) return;
  timer_ = Timer(io_, due, [weak = weak_from_this()] {
    if (auto self = std::static_pointer_cast<ExecOutput>(weak.lock())) self->CutOff();
  });
}

void ExecOutput::CutOff() {
  Room room;
  {
    MutexLock lock(&mu_);
    due_ = absl::InfiniteFuture();
    // Once all is here nobody has to wait for anybody.
    if (ended_) return;
    const absl::Time now = absl::Now();
    const uint64_t end = Begin(first_ + chunks_.size());
    for (auto next = readers_.begin(); next != readers_.end();) {
      Position* const position = *next;
      if (position->behind_since + options_.limits.patience > now) {
        ++next;
        continue;
      }
      position->cut = absl::ResourceExhaustedError(absl::StrCat(
          options_.process, ": this reader was ", end - Begin(position->next), " bytes behind, and others waited for ",
          absl::FormatDuration(options_.limits.patience),
          ": it is cut off and what it did not take is lost to it; read faster, or raise `streams.exec_backlog_bytes` "
          "or `streams.slow_reader_seconds` in the daemon's configuration"));
      next = readers_.erase(next);
    }
    room = Settle();
  }
  Acknowledge(room);
}

void ExecOutput::Acknowledge(const Room& room) {
  if (room.stdout_offset != 0) acknowledge_(StdStream::kStdout, room.stdout_offset);
  if (room.stderr_offset != 0) acknowledge_(StdStream::kStderr, room.stderr_offset);
}

}  // namespace vcd

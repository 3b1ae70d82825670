// SPDX-License-Identifier: Apache-2.0
#include "core/pod/exec_output.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"

namespace vcd {

ExecOutput::ExecOutput(uint64_t stdout_offset, uint64_t stderr_offset,
                       std::function<void(StdStream, uint64_t)> acknowledge)
    : OutputSource(stdout_offset, stderr_offset), acknowledge_(std::move(acknowledge)) {}

std::unique_ptr<OutputReader> ExecOutput::NewReader(OutputStart start) {
  auto position = std::make_unique<Position>();
  {
    MutexLock lock(&mu_);
    position->next = start == OutputStart::kBeginning ? first_ : first_ + chunks_.size();
    readers_.insert(position.get());
  }
  return MakeReader(std::move(position));
}

void ExecOutput::Store(StdStream stream, const std::string& data, uint64_t end_offset) {
  Passed passed;
  {
    MutexLock lock(&mu_);
    chunks_.push_back({{stream, data, absl::Now()}, end_offset});
    passed = Trim();
  }
  Acknowledge(passed);
}

ExecOutput::Readiness ExecOutput::Look(const Cursor& cursor) const {
  if (static_cast<const Position&>(cursor).next < first_ + chunks_.size()) return Readiness::kChunk;
  return ended_ ? Readiness::kEnd : Readiness::kWait;
}

absl::StatusOr<OutputChunk> ExecOutput::Take(Cursor& cursor) {
  Position& position = static_cast<Position&>(cursor);
  OutputChunk chunk;
  Passed passed;
  {
    MutexLock lock(&mu_);
    chunk = chunks_[position.next - first_].chunk;
    ++position.next;
    passed = Trim();
  }
  Acknowledge(passed);
  return chunk;
}

void ExecOutput::Drop(Cursor& cursor) {
  Passed passed;
  {
    MutexLock lock(&mu_);
    readers_.erase(static_cast<const Position*>(&cursor));
    passed = Trim();
  }
  Acknowledge(passed);
}

ExecOutput::Passed ExecOutput::Trim() {
  Passed passed;
  if (readers_.empty()) return passed;
  uint64_t slowest = UINT64_MAX;
  for (const Position* position : readers_) slowest = std::min(slowest, position->next);
  while (!chunks_.empty() && first_ < slowest) {
    const Stored& stored = chunks_.front();
    (stored.chunk.stream == StdStream::kStdout ? passed.stdout_offset : passed.stderr_offset) = stored.end_offset;
    chunks_.pop_front();
    ++first_;
  }
  return passed;
}

void ExecOutput::Acknowledge(const Passed& passed) {
  if (passed.stdout_offset != 0) acknowledge_(StdStream::kStdout, passed.stdout_offset);
  if (passed.stderr_offset != 0) acknowledge_(StdStream::kStderr, passed.stderr_offset);
}

}  // namespace vcd

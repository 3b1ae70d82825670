// SPDX-License-Identifier: Apache-2.0
#include "core/pod/output_source.h"

#include <optional>
#include <utility>

namespace vcd {

// Shared between a reader and the source that wakes it. `running` is held while a callback runs on the waking thread,
// so that the reader's destructor can wait for it; it is taken before the source's mutex and never by Next, which a
// callback may call.
struct OutputSource::ReaderState {
  Mutex running;
  bool closed ABSL_GUARDED_BY(running) = false;
  std::unique_ptr<Cursor> cursor;   // Used by one thread at a time: whoever serves the one outstanding callback.
  OutputReader::Callback callback;  // Guarded by the source's mutex.
};

class OutputSource::Reader : public OutputReader {
 public:
  Reader(std::shared_ptr<OutputSource> source, std::unique_ptr<Cursor> cursor)
      : source_(std::move(source)), state_(std::make_shared<ReaderState>()) {
    state_->cursor = std::move(cursor);
  }

  ~Reader() override {
    {
      MutexLock running(&state_->running);
      state_->closed = true;
      MutexLock lock(&source_->mu_);
      source_->waiting_.erase(state_);
    }
    source_->Drop(*state_->cursor);
  }

  void Next(Callback callback) override { Serve(*source_, state_, std::move(callback)); }

  // Calls back with what there is; waits when there is nothing.
  static void Serve(OutputSource& source, const std::shared_ptr<ReaderState>& state, Callback callback) {
    while (true) {
      Readiness readiness;
      {
        MutexLock lock(&source.mu_);
        readiness = source.Look(*state->cursor);
        if (readiness == Readiness::kWait) {
          state->callback = std::move(callback);
          source.waiting_.insert(state);
          return;
        }
      }
      if (readiness == Readiness::kEnd) return callback(std::optional<OutputChunk>());
      absl::StatusOr<OutputChunk> chunk = source.Take(*state->cursor);
      if (!chunk.ok()) return callback(chunk.status());
      if (!chunk->data.empty() || chunk->lost_bytes != 0) {
        return callback(std::optional<OutputChunk>(*std::move(chunk)));
      }
    }
  }

 private:
  const std::shared_ptr<OutputSource> source_;
  const std::shared_ptr<ReaderState> state_;
};

std::unique_ptr<OutputReader> OutputSource::MakeReader(std::unique_ptr<Cursor> cursor) {
  return std::make_unique<Reader>(shared_from_this(), std::move(cursor));
}

void OutputSource::Append(StdStream stream, uint64_t offset, std::string data) {
  uint64_t& received = received_[stream == StdStream::kStdout ? 0 : 1];
  const uint64_t end = offset + data.size();
  if (end <= received) return Repeated(stream, received);
  // After a reconnection the guest repeats what was not acknowledged, which may begin in the middle of what is known.
  if (offset < received) data.erase(0, received - offset);
  received = end;
  Store(stream, std::move(data), end);
}

void OutputSource::SetEnded() {
  {
    MutexLock lock(&mu_);
    ended_ = true;
  }
  WakeReaders();
}

void OutputSource::WakeReaders() {
  std::set<std::shared_ptr<ReaderState>> waiting;
  {
    MutexLock lock(&mu_);
    waiting.swap(waiting_);
  }
  for (const std::shared_ptr<ReaderState>& state : waiting) {
    MutexLock running(&state->running);
    if (state->closed) continue;
    OutputReader::Callback callback;
    {
      MutexLock lock(&mu_);
      callback = std::move(state->callback);
    }
    Reader::Serve(*this, state, std::move(callback));
  }
}

}  // namespace vcd

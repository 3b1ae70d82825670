// SPDX-License-Identifier: Apache-2.0
#include "core/pod/console_reader.h"

#include <optional>
#include <utility>

#include "absl/time/clock.h"
#include "core/hypervisor/console_log.h"
#include "core/os/mutex.h"
#include "core/os/timer.h"

namespace vcd {
namespace {

constexpr size_t kChunkBytes = 64 << 10;
constexpr absl::Duration kLookInterval = absl::Milliseconds(100);

}  // namespace

class ConsoleReader::State : public std::enable_shared_from_this<State> {
 public:
  State(IoThread& io, const std::string& run_dir, const ConsoleSelection& selection, std::function<bool()> more_comes)
      : io_(io),
        follow_(selection.follow),
        more_comes_(std::move(more_comes)),
        cursor_(run_dir, selection.tail_bytes) {}

  void Next(Callback callback) {
    MutexLock lock(&mu_);
    callback_ = std::move(callback);
    // Once it has caught up it goes at its own pace, however much there is.
    caught_up_ ? LookLater() : Look();
  }

  // The callback does not run any more; waits for one that runs.
  void Drop() {
    MutexLock lock(&mu_);
    dropped_ = true;
    timer_ = Timer();
  }

 private:
  void LookLater() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    timer_ = Timer(io_, absl::Now() + kLookInterval, [weak = weak_from_this()] {
      const std::shared_ptr<State> self = weak.lock();
      if (self == nullptr) return;
      MutexLock lock(&self->mu_);
      if (!self->dropped_) self->Look();
    });
  }

  // The callback runs with the lock held, so that Drop waits for it; it may ask for the next on another thread.
  void Look() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    // Asked before the look: what a machine says last is there when it has ended.
    const bool more_comes = follow_ && more_comes_();
    absl::StatusOr<std::string> data = cursor_.Read(kChunkBytes);
    if (data.ok() && data->empty() && more_comes) {
      caught_up_ = true;
      return LookLater();
    }
    const Callback callback = std::exchange(callback_, nullptr);
    if (!data.ok()) return callback(data.status());
    if (data->empty()) return callback(std::optional<OutputChunk>());
    OutputChunk chunk;
    chunk.data = *std::move(data);
    chunk.time = absl::Now();
    callback(std::optional<OutputChunk>(std::move(chunk)));
  }

  IoThread& io_;
  const bool follow_;
  const std::function<bool()> more_comes_;

  Mutex mu_;
  ConsoleCursor cursor_ ABSL_GUARDED_BY(mu_);
  Callback callback_ ABSL_GUARDED_BY(mu_);
  Timer timer_ ABSL_GUARDED_BY(mu_);
  bool caught_up_ ABSL_GUARDED_BY(mu_) = false;
  bool dropped_ ABSL_GUARDED_BY(mu_) = false;
};

ConsoleReader::ConsoleReader(IoThread& io, const std::string& run_dir, const ConsoleSelection& selection,
                             std::function<bool()> more_comes)
    : state_(std::make_shared<State>(io, run_dir, selection, std::move(more_comes))) {}

ConsoleReader::~ConsoleReader() { state_->Drop(); }

void ConsoleReader::Next(Callback callback) { state_->Next(std::move(callback)); }

}  // namespace vcd

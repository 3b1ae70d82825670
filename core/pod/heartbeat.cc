// SPDX-License-Identifier: Apache-2.0
#include "core/pod/heartbeat.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "core/os/mutex.h"
#include "core/os/timer.h"

namespace vcd {
namespace {

// One answer may get lost in a moment's stall; two in a row do not.
constexpr int64_t kLeastMissed = 2;

int64_t MissedLimit(const Heartbeat::Options& options) {
  if (options.interval <= absl::ZeroDuration()) return kLeastMissed;
  return std::max(kLeastMissed, static_cast<int64_t>(absl::Ceil(options.timeout, options.interval) / options.interval));
}

}  // namespace

class Heartbeat::State : public std::enable_shared_from_this<State> {
 public:
  State(IoThread& io, const Options& options, RuntimeMetrics& metrics)
      : io_(io), options_(options), missed_limit_(MissedLimit(options)), metrics_(metrics) {}

  void Add(std::weak_ptr<HeartbeatSubject> subject) {
    if (options_.interval <= absl::ZeroDuration()) return;
    MutexLock lock(&mu_);
    turns_[next_slot_++ % kTurns].push_back({std::move(subject)});
    if (std::exchange(ticking_, true)) return;
    Arm();
  }

  void Stop() {
    // Waits for a beat that is under way.
    MutexLock beating(&beating_);
    stopped_ = true;
    MutexLock lock(&mu_);
    timer_ = Timer();
  }

  void Beat(size_t turn) {
    MutexLock beating(&beating_);
    if (stopped_) return;
    std::vector<Entry> entries;
    {
      MutexLock lock(&mu_);
      entries.swap(turns_[turn]);
    }
    entries.erase(std::remove_if(entries.begin(), entries.end(), [this](Entry& entry) { return !Ask(entry); }),
                  entries.end());
    MutexLock lock(&mu_);
    // Who came meanwhile stands behind.
    entries.insert(entries.end(), turns_[turn].begin(), turns_[turn].end());
    turns_[turn] = std::move(entries);
  }

 private:
  struct Entry {
    std::weak_ptr<HeartbeatSubject> subject;
    uint64_t signs = 0;
    int32_t missed = 0;
    bool asked = false;
  };

  // False when it is gone.
  bool Ask(Entry& entry) {
    const std::shared_ptr<HeartbeatSubject> subject = entry.subject.lock();
    if (subject == nullptr) return false;
    const std::optional<uint64_t> signs = subject->AskForLife();
    const bool silent = signs.has_value() && entry.asked && entry.signs == *signs;
    entry.asked = signs.has_value();
    entry.signs = signs.value_or(0);
    if (!silent) {
      entry.missed = 0;
      return true;
    }
    // Told already: giving it up takes a moment, and what comes in its place must not be taken for it.
    if (entry.missed == missed_limit_) return true;
    metrics_.HeartbeatMissed();
    if (++entry.missed < missed_limit_) return true;
    metrics_.GuestFoundSilent();
    subject->FoundSilent(options_.interval * missed_limit_);
    return true;
  }

  void Arm() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    timer_ = Timer(io_, absl::Now() + options_.interval / static_cast<int64_t>(kTurns),
                   [self = shared_from_this()] { self->Tick(); });
  }

  void Tick() {
    Beat(next_turn_++ % kTurns);
    MutexLock lock(&mu_);
    // Nobody is left to be asked: the next who comes starts it again.
    ticking_ = std::any_of(turns_.begin(), turns_.end(), [](const auto& turn) { return !turn.empty(); });
    if (ticking_ && !stopped_) Arm();
  }

  IoThread& io_;
  const Options options_;
  const int64_t missed_limit_;
  RuntimeMetrics& metrics_;
  size_t next_turn_ = 0;  // The I/O thread's.

  // Held while subjects are called.
  Mutex beating_;
  std::atomic<bool> stopped_{false};  // Changed with beating_ held.
  // Behind it.
  Mutex mu_;
  std::array<std::vector<Entry>, kTurns> turns_ ABSL_GUARDED_BY(mu_);
  size_t next_slot_ ABSL_GUARDED_BY(mu_) = 0;
  bool ticking_ ABSL_GUARDED_BY(mu_) = false;
  Timer timer_ ABSL_GUARDED_BY(mu_);
};

Heartbeat::Heartbeat(IoThread& io, const Options& options, RuntimeMetrics& metrics)
    : state_(std::make_shared<State>(io, options, metrics)) {}

void Heartbeat::Add(std::weak_ptr<HeartbeatSubject> subject) { state_->Add(std::move(subject)); }
void Heartbeat::Stop() { state_->Stop(); }
void Heartbeat::Beat(size_t turn) { state_->Beat(turn); }

}  // namespace vcd

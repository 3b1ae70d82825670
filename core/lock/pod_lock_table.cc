// SPDX-License-Identifier: Apache-2.0
#include "core/lock/pod_lock_table.h"

#include <algorithm>
#include <list>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/os/file_lock.h"
#include "core/os/mutex.h"
#include "core/os/timer.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

absl::string_view ModeName(LockMode mode) { return mode == LockMode::kShared ? "shared" : "exclusive"; }

absl::Status LockTimeout(absl::StatusCode code, const std::string& pod_id, const std::string& holder,
                         const std::string& message) {
  return WithDetail(absl::Status(code, absl::StrCat("pod ", pod_id, ": ", message)),
                    {v1::ERROR_REASON_LOCK_TIMEOUT, {{"pod_id", pod_id}, {"holder", holder}}});
}

// What somebody has put in the place of a lock file must not keep the pod from being stopped and deleted. Nobody else
// locks that, and who locks the file that was there keeps off none but us.
absl::StatusOr<FileLock> AcquireMended(const std::string& pod_id, const std::string& path, FileLockMode mode) {
  absl::StatusOr<FileLock> file = FileLock::Acquire(path, mode, /*nonblocking=*/true);
  if (!absl::IsFailedPrecondition(file.status())) return file;
  VCD_ASSIGN_OR_RETURN(const std::string aside, MoveAsideWhatIsNoFile(path));
  if (!aside.empty()) {
    LogWarning(pod_id, absl::StrCat(file.status().message(), "; it was moved to ", aside, ", and goes with the pod"));
  }
  return FileLock::Acquire(path, mode, /*nonblocking=*/true);
}

}  // namespace

// One request, from the queue to the release. It is in exactly one place: a queue, or the holders of its pod.
class PodLock::Hold {
 public:
  Hold(std::shared_ptr<PodLockTable::State> table, std::string pod_id, PodLockTable::Waiter waiter,
       PodLockTable::Granted granted)
      : table(std::move(table)), pod_id(std::move(pod_id)), waiter(std::move(waiter)), granted(std::move(granted)) {}

  const std::shared_ptr<PodLockTable::State> table;
  const std::string pod_id;
  const PodLockTable::Waiter waiter;
  Cancellation cancellation;

  // Guarded by the table's mutex.
  absl::Time since;  // When it became a holder.
  Timer timer;       // Its deadline in the queue, or the next try of the lock file.

  // Of whoever took it out of the queue, who answers; then of the holder.
  PodLockTable::Granted granted;
  std::optional<FileLock> file;
};

class PodLockTable::State : public std::enable_shared_from_this<PodLockTable::State> {
 public:
  using Hold = std::shared_ptr<PodLock::Hold>;

  State(IoThread& io, Executor executor, LockFileOf lock_file, Options options)
      : io_(io), executor_(std::move(executor)), lock_file_(std::move(lock_file)), options_(options) {}

  void Acquire(const std::string& pod_id, Waiter waiter, Granted granted) ABSL_LOCKS_EXCLUDED(mu_);
  void Preempt(const std::string& pod_id, const absl::Status& why) ABSL_LOCKS_EXCLUDED(mu_);
  void Shutdown(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mu_);
  void Release(const Hold& hold) ABSL_LOCKS_EXCLUDED(mu_);
  int size() const ABSL_LOCKS_EXCLUDED(mu_);

  // Takes the lock file for a holder; OK where lock files are not used.
  absl::Status TakeLockFile(PodLock::Hold& hold) const;

 private:
  struct Pod {
    std::vector<Hold> holders;
    std::list<Hold> queue;
  };
  using Pods = std::unordered_map<std::string, Pod>;

  // Makes holders of those at the head of the queue that may be, and drops a pod that nobody wants.
  std::vector<Hold> Advance(const std::string& pod_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool MayHold(const Pod& pod, const PodLock::Hold& hold) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Start(const std::vector<Hold>& holds) ABSL_LOCKS_EXCLUDED(mu_);

  // On the executor: gets the lock file, then answers.
  void Complete(const Hold& hold) ABSL_LOCKS_EXCLUDED(mu_);
  void RetryLater(const Hold& hold) ABSL_LOCKS_EXCLUDED(mu_);
  // Answers with an error and passes the lock on.
  void Refuse(const Hold& hold, const absl::Status& why) ABSL_LOCKS_EXCLUDED(mu_);
  // Cancels what holders do; those that wait for the lock file give up now rather than at the next try.
  void Cancel(const std::vector<Hold>& holders, const absl::Status& why) ABSL_LOCKS_EXCLUDED(mu_);

  // On the I/O thread: a deadline in the queue.
  void Expire(const Hold& hold) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status ExpiredStatus(const Pod& pod, const PodLock::Hold& hold) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  void Answer(Granted granted, const absl::Status& status) {
    executor_([granted = std::move(granted), status] { granted(status); });
  }

  IoThread& io_;
  const Executor executor_;
  const LockFileOf lock_file_;
  const Options options_;

  mutable Mutex mu_;
  Pods pods_ ABSL_GUARDED_BY(mu_);
  absl::Status shutdown_ ABSL_GUARDED_BY(mu_);
};

void PodLockTable::State::Acquire(const std::string& pod_id, Waiter waiter, Granted granted) {
  const absl::Status preempt = waiter.preempt;
  const bool front = waiter.front || !preempt.ok();
  waiter.front = front;
  auto hold = std::make_shared<PodLock::Hold>(shared_from_this(), pod_id, std::move(waiter), std::move(granted));
  absl::Status refused;
  std::vector<Hold> cancelled;
  std::vector<Hold> started;
  {
    MutexLock lock(&mu_);
    refused = shutdown_;
    if (refused.ok()) {
      Pod& pod = pods_[pod_id];
      // Holders are of one kind, and shared ones do not keep a shared one from the lock.
      if (!preempt.ok() && !pod.holders.empty() &&
          (hold->waiter.mode == LockMode::kExclusive || pod.holders.front()->waiter.mode == LockMode::kExclusive)) {
        cancelled = pod.holders;
      }
      auto place = pod.queue.end();
      if (front) {
        place = std::find_if(pod.queue.begin(), pod.queue.end(), [](const Hold& h) { return !h->waiter.front; });
      }
      pod.queue.insert(place, hold);
      started = Advance(pod_id);
      if (std::find(started.begin(), started.end(), hold) == started.end()) {
        // Weak: a hold and its timer must not keep each other.
        hold->timer = Timer(io_, hold->waiter.deadline, [weak = std::weak_ptr<PodLock::Hold>(hold)] {
          if (const Hold expired = weak.lock()) expired->table->Expire(expired);
        });
      }
    }
  }
  if (!refused.ok()) return Answer(std::move(hold->granted), refused);
  Cancel(cancelled, preempt);
  Start(started);
}

bool PodLockTable::State::MayHold(const Pod& pod, const PodLock::Hold& hold) const {
  if (pod.holders.empty()) return true;
  if (hold.waiter.mode == LockMode::kExclusive) return false;
  // Holders are of one kind: if one is shared, all are.
  return pod.holders.front()->waiter.mode == LockMode::kShared &&
         pod.holders.size() < static_cast<size_t>(options_.max_shared);
}

std::vector<PodLockTable::State::Hold> PodLockTable::State::Advance(const std::string& pod_id) {
  std::vector<Hold> started;
  const auto it = pods_.find(pod_id);
  if (it == pods_.end()) return started;
  Pod& pod = it->second;
  while (!pod.queue.empty() && MayHold(pod, *pod.queue.front())) {
    Hold hold = std::move(pod.queue.front());
    pod.queue.pop_front();
    hold->timer.Cancel();
    hold->since = absl::Now();
    pod.holders.push_back(hold);
    started.push_back(std::move(hold));
  }
  if (pod.holders.empty() && pod.queue.empty()) pods_.erase(it);
  return started;
}

void PodLockTable::State::Start(const std::vector<Hold>& holds) {
  for (const Hold& hold : holds) {
    executor_([state = shared_from_this(), hold] { state->Complete(hold); });
  }
}

void PodLockTable::State::Complete(const Hold& hold) {
  absl::Status status = hold->cancellation.status();
  if (status.ok()) {
    status = TakeLockFile(*hold);
    if (absl::IsNotFound(status)) status = absl::OkStatus();
    if (absl::IsUnavailable(status)) {
      if (absl::Now() < hold->waiter.deadline) return RetryLater(hold);
      status = LockTimeout(absl::StatusCode::kDeadlineExceeded, hold->pod_id, "another process",
                           absl::StrCat(hold->waiter.operation, " waited until its deadline: ", status.message(),
                                        "; look for a second vcd with this run directory"));
    }
  }
  if (!status.ok()) return Refuse(hold, status);
  const Granted granted = std::exchange(hold->granted, nullptr);
  granted(PodLock(hold));
}

absl::Status PodLockTable::State::TakeLockFile(PodLock::Hold& hold) const {
  if (lock_file_ == nullptr || hold.file.has_value()) return absl::OkStatus();
  const FileLockMode mode = hold.waiter.mode == LockMode::kShared ? FileLockMode::kShared : FileLockMode::kExclusive;
  VCD_ASSIGN_OR_RETURN(FileLock file, AcquireMended(hold.pod_id, lock_file_(hold.pod_id), mode));
  hold.file.emplace(std::move(file));
  return absl::OkStatus();
}

void PodLockTable::State::RetryLater(const Hold& hold) {
  const absl::Time next = std::min(absl::Now() + options_.file_retry_interval, hold->waiter.deadline);
  absl::Status cancelled;
  {
    MutexLock lock(&mu_);
    // Cancel may have found no timer to end.
    cancelled = hold->cancellation.status();
    if (cancelled.ok()) {
      hold->timer = Timer(io_, next, [weak = std::weak_ptr<PodLock::Hold>(hold)] {
        if (const Hold again = weak.lock()) again->table->Start({again});
      });
    }
  }
  if (!cancelled.ok()) Refuse(hold, cancelled);
}

void PodLockTable::State::Cancel(const std::vector<Hold>& holders, const absl::Status& why) {
  std::vector<Hold> woken;
  for (const Hold& holder : holders) {
    holder->cancellation.Cancel(why);
    MutexLock lock(&mu_);
    if (holder->timer.Cancel()) woken.push_back(holder);
  }
  Start(woken);
}

void PodLockTable::State::Refuse(const Hold& hold, const absl::Status& why) {
  Granted granted = std::exchange(hold->granted, nullptr);
  Release(hold);
  Answer(std::move(granted), why);
}

void PodLockTable::State::Release(const Hold& hold) {
  // Before the next one tries for it.
  hold->file.reset();
  std::vector<Hold> started;
  {
    MutexLock lock(&mu_);
    const auto it = pods_.find(hold->pod_id);
    if (it == pods_.end()) return;
    std::vector<Hold>& holders = it->second.holders;
    holders.erase(std::remove(holders.begin(), holders.end(), hold), holders.end());
    hold->timer.Cancel();
    started = Advance(hold->pod_id);
  }
  Start(started);
}

void PodLockTable::State::Expire(const Hold& hold) {
  absl::Status status;
  Granted granted;
  std::vector<Hold> started;
  {
    MutexLock lock(&mu_);
    const auto it = pods_.find(hold->pod_id);
    if (it == pods_.end()) return;
    std::list<Hold>& queue = it->second.queue;
    const auto place = std::find(queue.begin(), queue.end(), hold);
    if (place == queue.end()) return;  // It became a holder as the timer fired.
    status = ExpiredStatus(it->second, *hold);
    granted = std::exchange(hold->granted, nullptr);
    queue.erase(place);
    // It may have stood between shared holders and shared waiters.
    started = Advance(hold->pod_id);
  }
  Answer(std::move(granted), status);
  Start(started);
}

absl::Status PodLockTable::State::ExpiredStatus(const Pod& pod, const PodLock::Hold& hold) const {
  std::map<std::string, int> operations;
  absl::Time since = absl::InfiniteFuture();
  for (const Hold& holder : pod.holders) {
    ++operations[holder->waiter.operation];
    since = std::min(since, holder->since);
  }
  const std::string holders = absl::StrJoin(operations, ", ", [](std::string* out, const auto& operation) {
    absl::StrAppend(out, operation.first, operation.second > 1 ? absl::StrCat(" (", operation.second, " times)") : "");
  });
  const auto first = pod.queue.begin();
  const std::string before = (*first)->waiter.operation != hold.waiter.operation && first->get() != &hold
                                 ? absl::StrCat(" and ", (*first)->waiter.operation, " waits before it")
                                 : "";
  return LockTimeout(absl::StatusCode::kDeadlineExceeded, hold.pod_id, holders,
                     absl::StrCat(hold.waiter.operation, " waited until its deadline: the pod is held (",
                                  ModeName(pod.holders.front()->waiter.mode), ") by ", holders, " for ",
                                  absl::FormatDuration(absl::Trunc(absl::Now() - since, absl::Milliseconds(1))), before,
                                  "; try again, or end what runs with force"));
}

void PodLockTable::State::Preempt(const std::string& pod_id, const absl::Status& why) {
  std::vector<Hold> holders;
  {
    MutexLock lock(&mu_);
    const auto it = pods_.find(pod_id);
    if (it != pods_.end()) holders = it->second.holders;
  }
  Cancel(holders, why);
}

void PodLockTable::State::Shutdown(const absl::Status& why) {
  std::vector<Hold> holders;
  std::vector<Hold> waiting;
  {
    MutexLock lock(&mu_);
    if (!shutdown_.ok()) return;
    shutdown_ = why;
    for (auto it = pods_.begin(); it != pods_.end();) {
      Pod& pod = it->second;
      waiting.insert(waiting.end(), pod.queue.begin(), pod.queue.end());
      pod.queue.clear();
      holders.insert(holders.end(), pod.holders.begin(), pod.holders.end());
      it = pod.holders.empty() ? pods_.erase(it) : std::next(it);
    }
  }
  for (const Hold& hold : waiting) Answer(std::move(hold->granted), why);
  Cancel(holders, why);
}

int PodLockTable::State::size() const {
  MutexLock lock(&mu_);
  return static_cast<int>(pods_.size());
}

PodLock::PodLock(std::shared_ptr<Hold> hold) : hold_(std::move(hold)) {}
PodLock::PodLock(PodLock&& other) noexcept : hold_(std::move(other.hold_)) {}
PodLock& PodLock::operator=(PodLock&& other) noexcept {
  if (this != &other) {
    Release();
    hold_ = std::move(other.hold_);
  }
  return *this;
}
PodLock::~PodLock() { Release(); }

Cancellation& PodLock::cancellation() const { return hold_->cancellation; }

absl::Status PodLock::TakeLockFile() {
  absl::Status status = hold_->table->TakeLockFile(*hold_);
  if (!absl::IsUnavailable(status)) return status;
  return LockTimeout(
      absl::StatusCode::kUnavailable, hold_->pod_id, "another process",
      absl::StrCat(hold_->waiter.operation, ": ", status.message(), "; look for a second vcd with this run directory"));
}

void PodLock::Release() {
  const std::shared_ptr<Hold> hold = std::move(hold_);
  hold_ = nullptr;
  if (hold != nullptr) hold->table->Release(hold);
}

PodLockTable::PodLockTable(IoThread& io, Executor executor, LockFileOf lock_file, Options options)
    : state_(std::make_shared<State>(io, std::move(executor), std::move(lock_file), options)) {}

PodLockTable::~PodLockTable() { Shutdown(absl::CancelledError("the lock table has ended")); }

void PodLockTable::Acquire(const std::string& pod_id, Waiter waiter, Granted granted) {
  state_->Acquire(pod_id, std::move(waiter), std::move(granted));
}

void PodLockTable::Preempt(const std::string& pod_id, absl::Status why) { state_->Preempt(pod_id, why); }

void PodLockTable::Shutdown(absl::Status why) { state_->Shutdown(why); }

int PodLockTable::size() const { return state_->size(); }

}  // namespace vcd

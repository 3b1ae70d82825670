// SPDX-License-Identifier: Apache-2.0
#include "core/pod/recovery_wait.h"

#include <utility>

namespace vcd {

void RecoveryWait::Add(absl::Time deadline, Done done) {
  std::optional<absl::Status> end;
  {
    MutexLock lock(&mu_);
    end = end_;
    if (!end.has_value()) {
      const uint64_t id = next_id_++;
      Waiter& waiter = waiters_[id];
      waiter.done = std::move(done);
      waiter.timer = Timer(io_, deadline, [weak = weak_from_this(), id] {
        if (const std::shared_ptr<RecoveryWait> wait = weak.lock()) wait->Expire(id);
      });
    }
  }
  if (end.has_value()) done(*end);
}

void RecoveryWait::End(const absl::Status& status) {
  std::map<uint64_t, Waiter> waiters;
  {
    MutexLock lock(&mu_);
    if (end_.has_value()) return;
    end_ = status;
    waiters.swap(waiters_);
  }
  for (const auto& [id, waiter] : waiters) waiter.done(status);
}

void RecoveryWait::Expire(uint64_t id) {
  Waiter late;
  {
    MutexLock lock(&mu_);
    const auto waiter = waiters_.find(id);
    if (waiter == waiters_.end()) return;  // It came to its end as the timer fired.
    late = std::move(waiter->second);
    waiters_.erase(waiter);
  }
  late.done(absl::DeadlineExceededError("not before the deadline"));
}

size_t RecoveryWait::size() const {
  MutexLock lock(&mu_);
  return waiters_.size();
}

}  // namespace vcd

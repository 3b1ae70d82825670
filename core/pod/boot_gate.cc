// SPDX-License-Identifier: Apache-2.0
#include "core/pod/boot_gate.h"

#include <algorithm>
#include <utility>

namespace vcd {

void BootGate::Enter(const std::string& pod_id, const Cancellation& cancellation, Entered entered) {
  {
    MutexLock lock(&mu_);
    if (free_ == 0) {
      waiting_.push_back({pod_id, std::move(entered)});
      entered = nullptr;
    } else {
      --free_;
    }
  }
  if (entered != nullptr) return entered(std::make_unique<Place>(this));
  // It is in the queue now: whoever cancels from here on finds it there.
  if (!cancellation.status().ok()) Withdraw(pod_id);
}

void BootGate::EnterFirst(Entered entered) {
  {
    MutexLock lock(&mu_);
    if (free_ == 0) return waiting_.push_front({"", std::move(entered)});
    --free_;
  }
  entered(std::make_unique<Place>(this));
}

void BootGate::Withdraw(const std::string& pod_id) {
  Entered withdrawn;
  {
    MutexLock lock(&mu_);
    const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                    [&pod_id](const Waiting& waiting) { return waiting.pod_id == pod_id; });
    if (found == waiting_.end()) return;
    withdrawn = std::move(found->entered);
    waiting_.erase(found);
  }
  withdrawn(nullptr);
}

void BootGate::WithdrawAll() {
  std::list<Waiting> withdrawn;
  {
    MutexLock lock(&mu_);
    withdrawn.swap(waiting_);
  }
  for (const Waiting& waiting : withdrawn) waiting.entered(nullptr);
}

void BootGate::Leave() {
  Entered next;
  {
    MutexLock lock(&mu_);
    if (waiting_.empty()) {
      ++free_;
      return;
    }
    next = std::move(waiting_.front().entered);
    waiting_.pop_front();
  }
  next(std::make_unique<Place>(this));
}

size_t BootGate::waiting() const {
  MutexLock lock(&mu_);
  return waiting_.size();
}

size_t BootGate::taken() const {
  MutexLock lock(&mu_);
  return places_ - free_;
}

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "core/pod/boot_gate.h"

#include <utility>

namespace vcd {

void BootGate::Enter(std::function<void(std::unique_ptr<Place>)> entered) {
  {
    MutexLock lock(&mu_);
    if (free_ == 0) {
      waiting_.push_back(std::move(entered));
      return;
    }
    --free_;
  }
  entered(std::make_unique<Place>(this));
}

void BootGate::Leave() {
  std::function<void(std::unique_ptr<Place>)> next;
  {
    MutexLock lock(&mu_);
    if (waiting_.empty()) {
      ++free_;
      return;
    }
    next = std::move(waiting_.front());
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

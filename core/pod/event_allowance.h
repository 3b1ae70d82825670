// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_EVENT_ALLOWANCE_H_
#define VCD_CORE_POD_EVENT_ALLOWANCE_H_

#include <algorithm>

#include "absl/time/time.h"

namespace vcd {

// How many events a guest may cause: so many at once, and one more for each `refill` that passes. What is beyond is
// dropped, so that one guest cannot drive the events of all others out of the daemon's memory. Not thread-safe.
class EventAllowance {
 public:
  EventAllowance(int burst, absl::Duration refill) : burst_(burst), refill_(refill), left_(burst) {}

  // Whether one may happen now; counts it.
  bool Take(absl::Time now) {
    if (left_ < burst_) {
      const int64_t refilled = std::min<int64_t>((now - since_) / refill_, burst_ - left_);
      if (refilled > 0) {
        left_ += static_cast<int>(refilled);
        since_ += refill_ * refilled;
      }
    }
    if (left_ == 0) return false;
    if (left_ == burst_) since_ = now;
    --left_;
    return true;
  }

 private:
  const int burst_;
  const absl::Duration refill_;
  int left_;
  absl::Time since_;  // When the one that is refilled next began to be missing.
};

}  // namespace vcd

#endif  // VCD_CORE_POD_EVENT_ALLOWANCE_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_RECOVERY_CRASH_POINT_H_
#define VCD_TEST_RECOVERY_CRASH_POINT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/os/mutex.h"

namespace vcd {

// The life of one daemon, as far as the world can see it: every effect that it has on disk, machines, guests and
// networks passes here, before and after. At the chosen step the daemon is dead: from then on nothing that it does has
// an effect, and nothing answers it, until the test makes the next one. Thread-safe.
class CrashPoint {
 public:
  // Dies at step `at`, counted from 1; never by itself when 0.
  explicit CrashPoint(int at = 0) : at_(at) {}

  // One step. OK while the daemon lives.
  absl::Status Reach(const std::string& step) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    if (!dead_) steps_.push_back(step);
    if (static_cast<int>(steps_.size()) == at_) dead_ = true;
    return dead_ ? absl::UnavailableError("the daemon is dead") : absl::OkStatus();
  }

  // Dies `steps` steps from now.
  void DieIn(int steps) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    at_ = static_cast<int>(steps_.size()) + steps;
  }

  // kill -9, whatever step it is at.
  void Kill() ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    dead_ = true;
  }

  bool dead() const ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    return dead_;
  }

  // Where it died, or the last step: "WriteFile …/state.json.tmp, half done".
  std::string last_step() const ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    return steps_.empty() ? "" : steps_.back();
  }

 private:
  mutable Mutex mu_;
  int at_ ABSL_GUARDED_BY(mu_);
  bool dead_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::string> steps_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_TEST_RECOVERY_CRASH_POINT_H_

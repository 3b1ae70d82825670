// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_RECOVERY_WAIT_H_
#define VCD_CORE_POD_RECOVERY_WAIT_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/os/io_thread.h"
#include "core/os/mutex.h"
#include "core/os/timer.h"

namespace vcd {

// Those who came for a process of a pod before a restarted daemon knows what runs in it. Waiting costs no thread. Held
// by a shared_ptr; `io` must outlive it. Thread-safe.
class RecoveryWait : public std::enable_shared_from_this<RecoveryWait> {
 public:
  using Done = std::function<void(const absl::Status&)>;

  explicit RecoveryWait(IoThread& io) : io_(io) {}

  // Runs `done` once: with what End is given, on its thread, or on this one when that was before; or with
  // kDeadlineExceeded on the I/O thread, where it must not block.
  void Add(absl::Time deadline, Done done) ABSL_LOCKS_EXCLUDED(mu_);

  // The wait is over, for all; only the first call counts.
  void End(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);

  // Those who wait, for tests.
  size_t size() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Waiter {
    Done done;
    Timer timer;
  };
  // On the I/O thread.
  void Expire(uint64_t id) ABSL_LOCKS_EXCLUDED(mu_);

  IoThread& io_;
  mutable Mutex mu_;
  std::map<uint64_t, Waiter> waiters_ ABSL_GUARDED_BY(mu_);  // In order of coming.
  uint64_t next_id_ ABSL_GUARDED_BY(mu_) = 0;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_CORE_POD_RECOVERY_WAIT_H_

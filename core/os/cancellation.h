// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_CANCELLATION_H_
#define VCD_CORE_OS_CANCELLATION_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/os/mutex.h"

namespace vcd {

// Tells an operation in progress to give up, once and for all. Thread-safe; outlives its subscriptions.
class Cancellation {
 public:
  Cancellation() = default;
  Cancellation(const Cancellation&) = delete;
  Cancellation& operator=(const Cancellation&) = delete;

  // Cancels with the status that waiting steps will return; only the first call counts. Runs the subscribed callbacks
  // on this thread.
  void Cancel(absl::Status why) ABSL_LOCKS_EXCLUDED(mu_);

  // OK until cancelled.
  absl::Status status() const ABSL_LOCKS_EXCLUDED(mu_);

  // Ends a subscription; its callback has returned, or never runs, once the destructor returns.
  class Subscription {
   public:
    Subscription() = default;
    Subscription(Cancellation* owner, uint64_t id) : owner_(owner), id_(id) {}
    ~Subscription();
    Subscription(Subscription&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)), id_(other.id_) {}
    Subscription& operator=(Subscription&&) = delete;

   private:
    Cancellation* owner_ = nullptr;
    uint64_t id_ = 0;
  };

  // Runs `callback` when cancelled, at once when that has happened already. It must not block, nor destroy its own
  // subscription.
  [[nodiscard]] Subscription Subscribe(std::function<void()> callback) ABSL_LOCKS_EXCLUDED(mu_, callbacks_mu_);

 private:
  // Held while callbacks run, so that ending a subscription waits for its callback. Taken before mu_.
  Mutex callbacks_mu_;
  std::map<uint64_t, std::function<void()>> callbacks_ ABSL_GUARDED_BY(callbacks_mu_);
  uint64_t next_id_ ABSL_GUARDED_BY(callbacks_mu_) = 1;
  mutable Mutex mu_;
  absl::Status status_ ABSL_GUARDED_BY(mu_);
};

// How long a blocking call may take, and what can end it sooner. Passed by reference to every call that may wait.
struct CallContext {
  absl::Time deadline = absl::InfiniteFuture();
  // Not owned; may be null.
  Cancellation* cancellation = nullptr;

  // OK, or why there is no use in going on: kDeadlineExceeded naming `what`, or the cancellation's status.
  absl::Status Check(absl::string_view what) const;

  // The same, with a deadline of at most `limit` from now.
  CallContext Within(absl::Duration limit) const;
};

}  // namespace vcd

#endif  // VCD_CORE_OS_CANCELLATION_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_COMPLETION_H_
#define VCD_CORE_OS_COMPLETION_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/os/cancellation.h"
#include "core/os/mutex.h"

namespace vcd {

// A result that one thread makes and another waits for, with a deadline and a cancellation: how blocking code meets the
// I/O thread. Copies share the result, so that the maker may outlive a waiter that gave up. Thread-safe.
template <typename T>
class Completion {
 public:
  Completion() : shared_(std::make_shared<Shared>()) {}

  // Only the first call counts. Touches nothing but the shared result once a waiter may have seen it, so that the waiter
  // may destroy this Completion.
  void Set(absl::StatusOr<T> result) const {
    const std::shared_ptr<Shared> shared = shared_;
    MutexLock lock(&shared->mu);
    if (shared->result.has_value()) return;
    shared->result = std::move(result);
    shared->changed.NotifyAll();
  }

  bool done() const {
    MutexLock lock(&shared_->mu);
    return shared_->result.has_value();
  }

  // Blocks until Set; kDeadlineExceeded naming `what`, or the cancellation's status, when that does not come in time.
  // The result is moved out: one waiter.
  absl::StatusOr<T> Wait(const CallContext& context, absl::string_view what) const {
    Cancellation::Subscription woken = context.cancellation == nullptr
                                           ? Cancellation::Subscription()
                                           : context.cancellation->Subscribe([shared = shared_] {
                                               MutexLock lock(&shared->mu);
                                               shared->changed.NotifyAll();
                                             });
    MutexLock lock(&shared_->mu);
    while (!shared_->result.has_value()) {
      absl::Status status = context.Check(what);
      if (!status.ok()) return status;
      shared_->changed.WaitWithDeadline(&shared_->mu, context.deadline);
    }
    return std::move(*shared_->result);
  }

 private:
  struct Shared {
    Mutex mu;
    CondVar changed;
    std::optional<absl::StatusOr<T>> result ABSL_GUARDED_BY(mu);
  };
  std::shared_ptr<Shared> shared_;
};

}  // namespace vcd

#endif  // VCD_CORE_OS_COMPLETION_H_

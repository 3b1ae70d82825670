// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_BACKGROUND_WORK_H_
#define VCD_CORE_POD_BACKGROUND_WORK_H_

#include <cstddef>
#include <functional>
#include <utility>

#include "core/os/mutex.h"
#include "core/os/worker_pool.h"

namespace vcd {

// Counts what goes on in the background, so that its owner can wait for the end of all of it before it goes away
// itself. Thread-safe.
class BackgroundWork {
 public:
  explicit BackgroundWork(WorkerPool& pool) : pool_(pool) {}

  // Something begins that ends with End, on whatever thread.
  void Begin() ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    ++count_;
  }
  void End() ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    if (--count_ == 0) changed_.NotifyAll();
  }

  // Runs a task on the worker pool, counted.
  void Post(std::function<void()> task) ABSL_LOCKS_EXCLUDED(mu_) {
    Begin();
    pool_.Post([this, task = std::move(task)]() mutable {
      task();
      task = nullptr;  // What it holds goes before the count says that it is over.
      End();
    });
  }

  // Blocks until nothing goes on.
  void WaitIdle() ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    while (count_ > 0) changed_.Wait(&mu_);
  }

 private:
  WorkerPool& pool_;
  Mutex mu_;
  CondVar changed_;
  size_t count_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace vcd

#endif  // VCD_CORE_POD_BACKGROUND_WORK_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_WORKER_POOL_H_
#define VCD_CORE_OS_WORKER_POOL_H_

#include <deque>
#include <functional>
#include <list>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "core/os/mutex.h"

namespace vcd {

// Threads for work that blocks: as many as there is work for, up to a limit, first come first served. Thread-safe.
class WorkerPool {
 public:
  // A thread that had nothing to do for `idle_limit` ends.
  explicit WorkerPool(int max_threads, absl::Duration idle_limit = absl::Seconds(10));

  // Runs all that was posted, also what that work posts meanwhile, and joins the threads. Not to be called by a task.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Runs `task` on one of the threads. Does not block; only when the system gives the pool not even its first thread
  // does the task run on this one, before Post returns.
  void Post(std::function<void()> task) ABSL_LOCKS_EXCLUDED(mu_);

  // Threads that there are now, for tests and metrics.
  int thread_count() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Run(std::list<std::thread>::iterator self) ABSL_LOCKS_EXCLUDED(mu_);
  // Waits for a task; empty when this thread is to end.
  std::function<void()> Next() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Starts one more thread; false when the system refuses.
  bool StartThread() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const int max_threads_;
  const absl::Duration idle_limit_;
  mutable Mutex mu_;
  CondVar work_arrived_;
  CondVar thread_ended_;
  std::deque<std::function<void()>> tasks_ ABSL_GUARDED_BY(mu_);
  std::list<std::thread> threads_ ABSL_GUARDED_BY(mu_);
  // Threads that left their loop and are to be joined.
  std::vector<std::thread> ended_ ABSL_GUARDED_BY(mu_);
  int idle_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace vcd

#endif  // VCD_CORE_OS_WORKER_POOL_H_

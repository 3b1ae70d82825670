// SPDX-License-Identifier: Apache-2.0
#include "core/os/worker_pool.h"

#include <algorithm>
#include <iterator>
#include <system_error>
#include <utility>

#include "absl/time/clock.h"

namespace vcd {

WorkerPool::WorkerPool(int max_threads, absl::Duration idle_limit)
    : max_threads_(std::max(max_threads, 1)), idle_limit_(idle_limit) {}

WorkerPool::~WorkerPool() {
  std::vector<std::thread> ended;
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    work_arrived_.NotifyAll();
    while (!threads_.empty()) thread_ended_.Wait(&mu_);
    ended.swap(ended_);
  }
  for (std::thread& thread : ended) thread.join();
}

void WorkerPool::Post(std::function<void()> task) {
  std::vector<std::thread> ended;
  bool run_here = false;
  {
    MutexLock lock(&mu_);
    ended.swap(ended_);
    // Idle threads may have been woken for earlier tasks already, hence the count of tasks.
    const bool wants_thread = static_cast<size_t>(idle_) <= tasks_.size();
    const bool may_grow = threads_.size() < static_cast<size_t>(max_threads_);
    run_here = wants_thread && may_grow && !StartThread() && threads_.empty();
    if (!run_here) {
      tasks_.push_back(std::move(task));
      work_arrived_.NotifyOne();
    }
  }
  // They have left their loop: this waits for no task.
  for (std::thread& thread : ended) thread.join();
  if (run_here) task();
}

int WorkerPool::thread_count() const {
  MutexLock lock(&mu_);
  return static_cast<int>(threads_.size());
}

bool WorkerPool::StartThread() {
  threads_.emplace_back();
  const auto self = std::prev(threads_.end());
  try {
    *self = std::thread([this, self] { Run(self); });
    return true;
  } catch (const std::system_error&) {
    threads_.erase(self);
    return false;
  }
}

void WorkerPool::Run(std::list<std::thread>::iterator self) {
  for (;;) {
    std::function<void()> task;
    {
      MutexLock lock(&mu_);
      task = Next();
      if (task == nullptr) {
        ended_.push_back(std::move(*self));
        threads_.erase(self);
        thread_ended_.NotifyAll();
        return;
      }
    }
    task();
  }
}

std::function<void()> WorkerPool::Next() {
  const absl::Time give_up = absl::Now() + idle_limit_;
  while (tasks_.empty() && !stopping_) {
    ++idle_;
    const bool timed_out = work_arrived_.WaitWithDeadline(&mu_, give_up);
    --idle_;
    if (timed_out && tasks_.empty()) return nullptr;
  }
  if (tasks_.empty()) return nullptr;
  std::function<void()> task = std::move(tasks_.front());
  tasks_.pop_front();
  return task;
}

}  // namespace vcd

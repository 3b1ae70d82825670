// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_TESTING_INLINE_LOG_THREADS_H_
#define VCD_CORE_POD_TESTING_INLINE_LOG_THREADS_H_

#include <deque>
#include <functional>
#include <utility>

#include "core/pod/log_threads.h"

namespace vcd {

// Log threads of a test that has one thread: tasks run where they are posted, or when the test says so. One thread.
class InlineLogThreads : public LogThreads {
 public:
  void Post(dev_t, std::function<void()> task) override {
    if (!waits_) return task();
    tasks_.push_back(std::move(task));
  }

  // From now on tasks wait for Run.
  void Wait() { waits_ = true; }
  size_t waiting() const { return tasks_.size(); }
  // Runs the one that waits longest; false when there is none.
  bool RunOne() {
    if (tasks_.empty()) return false;
    const std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
    return true;
  }
  // Forgets them: the daemon is dead.
  void Forget() { tasks_.clear(); }

 private:
  bool waits_ = false;
  std::deque<std::function<void()>> tasks_;
};

}  // namespace vcd

#endif  // VCD_CORE_POD_TESTING_INLINE_LOG_THREADS_H_

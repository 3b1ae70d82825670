// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_LOG_THREADS_H_
#define VCD_CORE_POD_LOG_THREADS_H_

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "core/os/cancellation.h"
#include "core/os/completion.h"
#include "core/os/mutex.h"
#include "core/os/worker_pool.h"

namespace vcd {

// The threads that wait for the disks of containers' logs, so that nobody else does: some for each file system, as many
// as there is work for. One that does not answer keeps its own threads, at most, and what is logged on it; each log is
// on one thread at a time (container_log.h). They end when they have nothing to do. Thread-safe.
//
// Also knows the logs that have ended and are written still, so that no other is begun in their place.
class LogThreads {
 public:
  // More than a file system that answers has a use for: so many logs may hang one by one before all of it counts as
  // hung.
  static constexpr int kMostOfAFilesystem = 16;

  explicit LogThreads(int most_of_a_filesystem = kMostOfAFilesystem) : most_(most_of_a_filesystem) {}
  virtual ~LogThreads() { Finish(); }
  LogThreads(const LogThreads&) = delete;
  LogThreads& operator=(const LogThreads&) = delete;

  // Runs `task` on a thread of that file system, first come first served; 0 is for those that are not known yet. Does
  // not block.
  virtual void Post(dev_t filesystem, std::function<void()> task) ABSL_LOCKS_EXCLUDED(mu_);

  // Blocks until all has run that was posted. Not for a task.
  void Finish() ABSL_LOCKS_EXCLUDED(mu_);

  // From Hold to Release somebody may change the log at `path`. At most one at a time. A leaf: any mutex may be held.
  void Hold(const std::string& path) ABSL_LOCKS_EXCLUDED(mu_);
  void Release(const std::string& path) ABSL_LOCKS_EXCLUDED(mu_);

  // Blocks until nobody holds it; with the context's error, naming the log, when that is too late.
  absl::Status AwaitFree(const std::string& path, const CallContext& context) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  const int most_;
  Mutex mu_;
  CondVar finished_;
  size_t under_way_ ABSL_GUARDED_BY(mu_) = 0;  // Tasks that have not ended.
  std::map<std::string, Completion<bool>> held_ ABSL_GUARDED_BY(mu_);
  std::map<dev_t, WorkerPool> pools_ ABSL_GUARDED_BY(mu_);  // None ever goes. Last: its threads use the rest.
};

}  // namespace vcd

#endif  // VCD_CORE_POD_LOG_THREADS_H_

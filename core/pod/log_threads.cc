// SPDX-License-Identifier: Apache-2.0
#include "core/pod/log_threads.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace vcd {

void LogThreads::Post(dev_t filesystem, std::function<void()> task) {
  WorkerPool* pool = nullptr;
  {
    MutexLock lock(&mu_);
    ++under_way_;
    pool = &pools_.try_emplace(filesystem, most_).first->second;
  }
  pool->Post([this, task = std::move(task)]() mutable {
    task();
    task = nullptr;  // What it holds goes before it counts as ended.
    MutexLock lock(&mu_);
    if (--under_way_ == 0) finished_.NotifyAll();
  });
}

void LogThreads::Finish() {
  MutexLock lock(&mu_);
  while (under_way_ > 0) finished_.Wait(&mu_);
}

void LogThreads::Hold(const std::string& path) {
  MutexLock lock(&mu_);
  held_.emplace(path, Completion<bool>());
}

void LogThreads::Release(const std::string& path) {
  MutexLock lock(&mu_);
  const auto found = held_.find(path);
  if (found == held_.end()) return;
  found->second.Set(true);
  held_.erase(found);
}

absl::Status LogThreads::AwaitFree(const std::string& path, const CallContext& context) {
  std::optional<Completion<bool>> released;
  {
    MutexLock lock(&mu_);
    const auto found = held_.find(path);
    if (found == held_.end()) return absl::OkStatus();
    released = found->second;
  }
  return released
      ->Wait(context, absl::StrCat("container log ", path,
                                   ": what was printed before is still to be written, "
                                   "and its file system does not answer"))
      .status();
}

}  // namespace vcd

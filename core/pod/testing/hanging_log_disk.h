// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_TESTING_HANGING_LOG_DISK_H_
#define VCD_CORE_POD_TESTING_HANGING_LOG_DISK_H_

#include <set>
#include <string>

#include "core/os/mutex.h"
#include "core/pod/log_disk.h"

namespace vcd {

// A real disk that does not answer where it is told so: whoever writes there, or opens a file, waits until it does
// again. Thread-safe.
class HangingLogDisk : public LogDisk {
 public:
  ~HangingLogDisk() override { AnswerAll(); }

  // Paths that contain `part` hang, until AnswerAll.
  void Hang(const std::string& part) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    parts_.insert(part);
  }
  void AnswerAll() ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    parts_.clear();
    changed_.NotifyAll();
  }
  // Blocks until `count` calls hang.
  void AwaitHanging(int count) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    while (hanging_ < count) changed_.Wait(&mu_);
  }

  absl::StatusOr<UniqueFd> OpenToAppend(const std::string& path) override {
    Pass(path);
    return LogDisk::OpenToAppend(path);
  }
  absl::Status Append(int fd, absl::string_view bytes, const std::string& path) override {
    Pass(path);
    return LogDisk::Append(fd, bytes, path);
  }

 private:
  void Pass(const std::string& path) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    if (!Hangs(path)) return;
    ++hanging_;
    changed_.NotifyAll();
    while (Hangs(path)) changed_.Wait(&mu_);
    --hanging_;
  }
  bool Hangs(const std::string& path) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    for (const std::string& part : parts_) {
      if (path.find(part) != std::string::npos) return true;
    }
    return false;
  }

  Mutex mu_;
  CondVar changed_;
  std::set<std::string> parts_ ABSL_GUARDED_BY(mu_);
  int hanging_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace vcd

#endif  // VCD_CORE_POD_TESTING_HANGING_LOG_DISK_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_FILE_LOCK_H_
#define VCD_CORE_OS_FILE_LOCK_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "core/os/unique_fd.h"

namespace vcd {

enum class FileLockMode { kShared, kExclusive };

// A flock(2) on a file, which keeps other processes off; released by the destructor, and by the kernel when the process
// dies. Two FileLocks of one process exclude each other too. Move-only.
class FileLock {
 public:
  // Opens the file, made with mode 0640 when missing, and locks it. `nonblocking`: kUnavailable when another holder
  // stands in the way; otherwise waits for it without limit. kNotFound when the directory does not exist. What is
  // locked is the file that bears the name: one that was removed meanwhile is given up for its successor.
  // kFailedPrecondition when something else than a file bears it, as a directory, a link or a pipe.
  static absl::StatusOr<FileLock> Acquire(const std::string& path, FileLockMode mode, bool nonblocking);

  FileLock(FileLock&&) = default;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

 private:
  explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}
  void Release();

  UniqueFd fd_;
};

// Gives what bears the name of a lock file and is none another name beside it; returns that. Empty when there is
// nothing to move.
absl::StatusOr<std::string> MoveAsideWhatIsNoFile(const std::string& path);

}  // namespace vcd

#endif  // VCD_CORE_OS_FILE_LOCK_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_CHECK_HOST_H_
#define VCD_DAEMON_CHECK_HOST_H_

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace vcd {

// What a file system has left.
struct FilesystemSpace {
  uint64_t free_bytes = 0;  // For those who are not root.
  uint64_t inodes = 0;      // 0: it does not count them.
  uint64_t free_inodes = 0;
  bool readonly = false;
};

// A limit of this process, as getrlimit(2) has it; RLIM_INFINITY is none.
struct ProcessLimit {
  uint64_t soft = 0;
  uint64_t hard = 0;
};

// The host as the checks see it: all that they look at they see through this, so that a test can give them a broken
// one. Nothing here changes the host. Errors say what and why, with the code of the kernel's errno. Thread-safe.
class Host {
 public:
  virtual ~Host() = default;

  // Of what the path leads to.
  virtual absl::StatusOr<struct stat> Stat(const std::string& path) const = 0;
  // Whether this process may read, write or execute (R_OK, W_OK, X_OK).
  virtual absl::Status Access(const std::string& path, int mode) const = 0;
  // At most `max_bytes` of a file from `offset` on. Never waits for somebody to write.
  virtual absl::StatusOr<std::string> Read(const std::string& path, uint64_t offset, size_t max_bytes) const = 0;
  // Names in a directory, without "." and "..".
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& path) const = 0;
  virtual absl::StatusOr<FilesystemSpace> Space(const std::string& path) const = 0;
  // Runs a program to its end and returns what it printed. An exit status other than 0 and an end that does not come
  // before the deadline are errors that hold what it said.
  virtual absl::StatusOr<std::string> Run(const std::vector<std::string>& argv, absl::Time deadline) const = 0;
  // Whether the kernel knows a system call that does nothing when its arguments make no sense.
  virtual bool HasSystemCall(int64_t number) const = 0;
  virtual ProcessLimit Limit(int resource) const = 0;
  virtual bool HasGroup(const std::string& name) const = 0;
  virtual uid_t user_id() const = 0;
  virtual absl::Time Now() const = 0;
  // OK when a guest runs under KVM; says what is in the way otherwise. Takes two seconds at most.
  virtual absl::Status TryKvm() const = 0;
};

}  // namespace vcd

#endif  // VCD_DAEMON_CHECK_HOST_H_

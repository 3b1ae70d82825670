// SPDX-License-Identifier: Apache-2.0
#include "core/os/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

// Whether the name still leads to the open file: a lock on a file that was removed keeps nobody off.
bool IsStillNamed(int fd, const std::string& path) {
  struct stat open_file;
  struct stat named_file;
  return ::fstat(fd, &open_file) == 0 && ::stat(path.c_str(), &named_file) == 0 &&
         open_file.st_dev == named_file.st_dev && open_file.st_ino == named_file.st_ino;
}

}  // namespace

absl::StatusOr<FileLock> FileLock::Acquire(const std::string& path, FileLockMode mode, bool nonblocking) {
  const int operation = (mode == FileLockMode::kShared ? LOCK_SH : LOCK_EX) | (nonblocking ? LOCK_NB : 0);
  for (;;) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0640));
    if (!fd.valid()) return PosixError(errno, absl::StrCat("open lock file ", path));
    int result;
    do {
      result = ::flock(fd.get(), operation);
    } while (result != 0 && errno == EINTR);
    if (result != 0) {
      if (errno == EWOULDBLOCK) return absl::UnavailableError(absl::StrCat("lock file ", path, " is locked already"));
      return PosixError(errno, absl::StrCat("lock ", path));
    }
    if (IsStillNamed(fd.get(), path)) return FileLock(std::move(fd));
  }
}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  if (this != &other) {
    Release();
    fd_ = std::move(other.fd_);
  }
  return *this;
}

FileLock::~FileLock() { Release(); }

void FileLock::Release() {
  // Closing is not enough: a child between fork(2) and execve(2) has a copy, and the lock belongs to all copies.
  if (fd_.valid()) ::flock(fd_.get(), LOCK_UN);
  fd_.Reset();
}

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "core/os/file_lock.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

// Whether the name still leads to the open file: a lock on a file that was removed keeps nobody off.
bool IsStillNamed(const struct stat& open_file, const std::string& path) {
  struct stat named_file;
  return ::stat(path.c_str(), &named_file) == 0 && open_file.st_dev == named_file.st_dev &&
         open_file.st_ino == named_file.st_ino;
}

const char* KindOf(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISLNK(mode)) return "a symbolic link";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

// Whether something else than a file bears the name, and what.
std::optional<mode_t> NoFile(const std::string& path) {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0 || S_ISREG(info.st_mode)) return std::nullopt;
  return info.st_mode;
}

}  // namespace

absl::StatusOr<FileLock> FileLock::Acquire(const std::string& path, FileLockMode mode, bool nonblocking) {
  const int operation = (mode == FileLockMode::kShared ? LOCK_SH : LOCK_EX) | (nonblocking ? LOCK_NB : 0);
  for (;;) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0640));
    const int error = errno;
    struct stat opened = {};
    // A pipe can be opened, and even locked; but others would wait for its writer.
    if (!fd.valid() || ::fstat(fd.get(), &opened) != 0 || !S_ISREG(opened.st_mode)) {
      if (const std::optional<mode_t> mode = NoFile(path)) {
        return absl::FailedPreconditionError(
            absl::StrCat("lock file ", path, ": is ", KindOf(*mode), ", and must be a file"));
      }
      if (!fd.valid()) return PosixError(error, absl::StrCat("open lock file ", path));
      continue;  // It has gone meanwhile.
    }
    int result;
    do {
      result = ::flock(fd.get(), operation);
    } while (result != 0 && errno == EINTR);
    if (result != 0) {
      if (errno == EWOULDBLOCK) return absl::UnavailableError(absl::StrCat("lock file ", path, " is locked already"));
      return PosixError(errno, absl::StrCat("lock ", path));
    }
    if (IsStillNamed(opened, path)) return FileLock(std::move(fd));
  }
}

absl::StatusOr<std::string> MoveAsideWhatIsNoFile(const std::string& path) {
  for (int n = 1; NoFile(path).has_value(); ++n) {
    const std::string aside = absl::StrCat(path, ".damaged-", n);
    if (::renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, aside.c_str(), RENAME_NOREPLACE) == 0) return aside;
    if (errno != EEXIST && errno != ENOENT) return PosixError(errno, absl::StrCat("move ", path, " to ", aside));
  }
  return "";
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

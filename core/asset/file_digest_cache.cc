// SPDX-License-Identifier: Apache-2.0
#include "core/asset/file_digest_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "absl/strings/str_cat.h"
#include "core/asset/file_hash.h"
#include "core/os/unique_fd.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// A file that was written to a moment ago may be again within one tick of the file system's clock, and look the same.
constexpr int64_t kSettledNanoseconds = 2'000'000'000;

int64_t Nanoseconds(const timespec& time) { return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

bool IsSettled(int64_t change_time) {
  timespec now = {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return Nanoseconds(now) - change_time > kSettledNanoseconds;
}

}  // namespace

absl::StatusOr<std::string> FileDigestCache::Sha512(const std::string& path, const CallContext& context) {
  // Without O_NONBLOCK a FIFO would be waited for.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return PosixError(errno, path);
  VCD_ASSIGN_OR_RETURN(const Identity before, IdentityOf(fd.get(), path));
  {
    const MutexLock lock(&mu_);
    const auto known = entries_.find(before);
    if (known != entries_.end()) {
      known->second.last_use = ++uses_;
      return known->second.digest;
    }
    ++reads_;
  }
  VCD_ASSIGN_OR_RETURN(std::string digest, HashFile(fd.get(), path, HashKind::kSha512, context));
  VCD_ASSIGN_OR_RETURN(const Identity after, IdentityOf(fd.get(), path));
  if (after != before)
    return absl::AbortedError(absl::StrCat(path, " is being written to; try again when that is done"));
  if (IsSettled(std::get<4>(before))) Remember(before, digest);
  return digest;
}

uint64_t FileDigestCache::reads() const {
  const MutexLock lock(&mu_);
  return reads_;
}

absl::StatusOr<FileDigestCache::Identity> FileDigestCache::IdentityOf(int fd, const std::string& path) {
  struct stat info = {};
  if (::fstat(fd, &info) != 0) return PosixError(errno, path);
  if (!S_ISREG(info.st_mode)) return absl::InvalidArgumentError(absl::StrCat(path, ": is not a regular file"));
  if (info.st_size == 0) return absl::InvalidArgumentError(absl::StrCat(path, ": is empty"));
  return Identity(info.st_dev, info.st_ino, info.st_size, Nanoseconds(info.st_mtim), Nanoseconds(info.st_ctim));
}

void FileDigestCache::Remember(const Identity& identity, const std::string& digest) {
  const MutexLock lock(&mu_);
  entries_[identity] = {digest, ++uses_};
  if (entries_.size() <= max_files_) return;
  entries_.erase(std::min_element(entries_.begin(), entries_.end(), [](const auto& one, const auto& other) {
    return one.second.last_use < other.second.last_use;
  }));
}

}  // namespace vcd

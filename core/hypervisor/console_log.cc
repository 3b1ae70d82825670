// SPDX-License-Identifier: Apache-2.0
#include "core/hypervisor/console_log.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "core/os/run_file.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

std::string PathIn(const std::string& run_dir) { return absl::StrCat(run_dir, "/console.log"); }
std::string Older(const std::string& path) { return absl::StrCat(path, ".1"); }

uint64_t SizeOf(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 ? static_cast<uint64_t>(info.st_size) : 0;
}

}  // namespace

ConsoleLog::ConsoleLog(const std::string& run_dir, uint64_t max_bytes)
    : path_(PathIn(run_dir)), file_bytes_(std::max<uint64_t>(1, max_bytes / 2)), size_(SizeOf(path_)) {}

void ConsoleLog::Append(absl::string_view bytes) {
  while (!bytes.empty()) {
    if (size_ >= file_bytes_) {
      file_.Reset();
      if (rename(path_.c_str(), Older(path_).c_str()) != 0 && errno != ENOENT) return;
      size_ = 0;
    }
    if (!file_.valid()) {
      absl::StatusOr<UniqueFd> file = OpenLogFile(path_);
      if (!file.ok()) return;
      file_ = *std::move(file);
    }
    const size_t room = std::min<uint64_t>(bytes.size(), file_bytes_ - size_);
    const ssize_t written = write(file_.get(), bytes.data(), room);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    size_ += static_cast<uint64_t>(written);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

ConsoleCursor::ConsoleCursor(const std::string& run_dir, uint64_t tail_bytes) : path_(PathIn(run_dir)) {
  const uint64_t older = SizeOf(Older(path_)), newer = SizeOf(path_);
  if (tail_bytes == 0 || tail_bytes >= older + newer) return;
  const bool in_newer = tail_bytes <= newer;
  file_.Reset(open((in_newer ? path_ : Older(path_)).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info;
  if (!file_.valid() || fstat(file_.get(), &info) != 0) {
    file_.Reset();
    return;
  }
  inode_ = info.st_ino;
  at_ = in_newer ? newer - tail_bytes : older + newer - tail_bytes;
}

absl::StatusOr<bool> ConsoleCursor::OpenNext() {
  // The older file comes first, unless it has been read: then it is the one before the newer.
  for (const std::string& path : {Older(path_), path_}) {
    UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!file.valid() && errno == ENOENT) continue;
    struct stat info;
    if (!file.valid() || fstat(file.get(), &info) != 0) return PosixError(errno, absl::StrCat("open ", path));
    if (inode_ != 0 && info.st_ino == inode_) {
      if (path == path_) return false;  // Nothing is newer than it.
      continue;
    }
    if (inode_ != 0 && path != path_) {
      // Which of the two comes after the one that was read? The newer, if that one's place is where the older now is
      // not.
      struct stat newest;
      if (stat(path_.c_str(), &newest) == 0 && newest.st_ino == inode_) continue;
    }
    // Now that there is a next one, nothing is added to the one before; but something may have been since it was read.
    struct stat before;
    if (file_.valid() && fstat(file_.get(), &before) == 0 && static_cast<uint64_t>(before.st_size) > at_) return true;
    file_ = std::move(file);
    inode_ = info.st_ino;
    at_ = 0;
    return true;
  }
  return false;
}

absl::StatusOr<std::string> ConsoleCursor::Read(size_t max_bytes) {
  while (true) {
    if (file_.valid()) {
      std::string bytes(max_bytes, '\0');
      const ssize_t got = pread(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(at_));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return PosixError(errno, absl::StrCat("read ", path_));
      if (got > 0) {
        at_ += static_cast<uint64_t>(got);
        bytes.resize(static_cast<size_t>(got));
        return bytes;
      }
    }
    VCD_ASSIGN_OR_RETURN(const bool more, OpenNext());
    if (!more) return std::string();
  }
}

std::string ConsoleEnd(const std::string& run_dir, size_t max_bytes) {
  const std::string path = PathIn(run_dir);
  const uint64_t newer = SizeOf(path);
  std::string end = ReadLogTail(path, max_bytes);
  if (newer >= max_bytes) return end;
  const std::string before = ReadLogTail(Older(path), max_bytes - newer);
  if (before.empty() || end.empty()) return before + end;
  return absl::StrCat(before, "\n", end);
}

absl::Status RemoveConsole(const std::string& run_dir) {
  VCD_RETURN_IF_ERROR(RemoveFile(PathIn(run_dir)));
  return RemoveFile(Older(PathIn(run_dir)));
}

absl::Status MoveConsole(const std::string& from_run_dir, const std::string& to_run_dir) {
  VCD_RETURN_IF_ERROR(RemoveConsole(to_run_dir));
  const std::string from = PathIn(from_run_dir), to = PathIn(to_run_dir);
  for (const auto& [old_path, new_path] : {std::pair(from, to), std::pair(Older(from), Older(to))}) {
    if (::rename(old_path.c_str(), new_path.c_str()) != 0 && errno != ENOENT) {
      return PosixError(errno, absl::StrCat("move ", old_path, " to ", new_path));
    }
  }
  return absl::OkStatus();
}

}  // namespace vcd

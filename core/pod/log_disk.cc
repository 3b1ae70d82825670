// SPDX-License-Identifier: Apache-2.0
#include "core/pod/log_disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/status/error_detail.h"

namespace vcd {

namespace {

// That it is a file, and not what somebody has put in its place: who reads a pipe would wait for its writer.
absl::StatusOr<UniqueFd> OnlyFile(UniqueFd fd, const std::string& path) {
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return PosixError(errno, absl::StrCat("look at container log ", path));
  if (S_ISREG(info.st_mode)) return fd;
  return absl::FailedPreconditionError(absl::StrCat("container log ", path, ": is no file; move it away"));
}

}  // namespace

LogDisk& LogDisk::Posix() {
  static LogDisk* const disk = new LogDisk;
  return *disk;
}

absl::StatusOr<UniqueFd> LogDisk::OpenToAppend(const std::string& path) {
  UniqueFd file(open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!file.valid()) return PosixError(errno, absl::StrCat("open container log ", path));
  return OnlyFile(std::move(file), path);
}

absl::Status LogDisk::Append(int fd, absl::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t wrote = write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return PosixError(wrote < 0 ? errno : ENOSPC, absl::StrCat("write container log ", path));
    bytes.remove_prefix(wrote);
  }
  return absl::OkStatus();
}

absl::Status LogDisk::Truncate(int fd, uint64_t size, const std::string& path) {
  if (ftruncate(fd, static_cast<off_t>(size)) == 0) return absl::OkStatus();
  return PosixError(errno, absl::StrCat("truncate container log ", path));
}

absl::Status LogDisk::Rename(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return PosixError(errno, absl::StrCat("rename container log ", from, " to ", to));
}

absl::Status LogDisk::Remove(const std::string& path) {
  if (unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return PosixError(errno, absl::StrCat("remove container log ", path));
}

absl::Status LogDisk::PutNote(const std::string& path, const std::string& text) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return PosixError(errno, absl::StrCat("remove ", path));
  if (symlink(text.c_str(), path.c_str()) == 0) return absl::OkStatus();
  return PosixError(errno, absl::StrCat("write a note of container log ", path));
}

std::string ReadNote(const std::string& path) {
  char text[60];
  const ssize_t size = readlink(path.c_str(), text, sizeof(text));
  return size <= 0 ? "" : std::string(text, static_cast<size_t>(size));
}

absl::StatusOr<UniqueFd> OpenLogToRead(const std::string& path) {
  UniqueFd file(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
  if (!file.valid()) return PosixError(errno, absl::StrCat("open container log ", path));
  return OnlyFile(std::move(file), path);
}

dev_t LogFilesystem(int fd) {
  struct stat info {};
  return fstat(fd, &info) == 0 ? info.st_dev : 0;
}

absl::StatusOr<uint64_t> LogFileSize(int fd, const std::string& path) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return PosixError(errno, absl::StrCat("look at container log ", path));
  return static_cast<uint64_t>(status.st_size);
}

absl::StatusOr<size_t> ReadLogFile(int fd, uint64_t offset, size_t size, const std::string& path, std::string* buffer) {
  const size_t before = buffer->size();
  buffer->resize(before + size);
  ssize_t got;
  do {
    got = pread(fd, buffer->data() + before, size, static_cast<off_t>(offset));
  } while (got < 0 && errno == EINTR);
  const int error = errno;
  buffer->resize(before + (got > 0 ? got : 0));
  if (got < 0) return PosixError(error, absl::StrCat("read container log ", path));
  return static_cast<size_t>(got);
}

std::string FullLogFile(const std::string& path, uint64_t number) { return absl::StrCat(path, ".", number); }

std::vector<uint64_t> FullLogFiles(const std::string& path) {
  const std::filesystem::path file(path);
  const std::string prefix = file.filename().string() + ".";
  std::vector<uint64_t> numbers;
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator(file.parent_path(), error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    absl::string_view rest = name;
    uint64_t number = 0;
    if (absl::ConsumePrefix(&rest, prefix) && absl::SimpleAtoi(rest, &number)) numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace vcd

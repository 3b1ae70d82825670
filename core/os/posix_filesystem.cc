// SPDX-License-Identifier: Apache-2.0
#include "core/os/posix_filesystem.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/os/unique_fd.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr mode_t kDirectoryMode = 0750;
constexpr mode_t kFileMode = 0640;
// More than any record: a file that grew beyond this is damage, and must not take the daemon's memory.
constexpr size_t kMaxReadBytes = 64 << 20;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using UniqueDir = std::unique_ptr<DIR, CloseDirectory>;

absl::Status Failed(absl::string_view step, const std::string& path) {
  return PosixError(errno, absl::StrCat(step, " ", path));
}

absl::Status SyncPath(const std::string& path, int flags, absl::string_view step) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
  if (!fd.valid()) return Failed("open", path);
  if (::fsync(fd.get()) != 0) return Failed(step, path);
  return absl::OkStatus();
}

bool IsDotName(const char* name) { return std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0; }

// Names in an open directory, unsorted. Closes it.
absl::StatusOr<std::vector<std::string>> ReadNames(UniqueDir directory, const std::string& path) {
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    if (!IsDotName(entry->d_name)) names.emplace_back(entry->d_name);
  }
  if (errno != 0) return Failed("list", path);
  return names;
}

// Removes `name` in the directory `parent`. Descriptors rather than paths, so that nobody can slip a symbolic link in
// between looking and removing. `path` is for messages.
absl::Status RemoveAt(int parent, const char* name, const std::string& path) {
  if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT) return absl::OkStatus();
  // What unlink(2) says of a directory: EISDIR on Linux, EPERM by POSIX and so on some file systems.
  if (errno != EISDIR && errno != EPERM) return Failed("remove", path);
  const int unlink_error = errno;

  UniqueFd fd(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOENT) return absl::OkStatus();
    if (errno == ENOTDIR || errno == ELOOP) errno = unlink_error;
    return Failed("remove", path);
  }
  UniqueFd listed(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!listed.valid()) return Failed("duplicate the descriptor of", path);
  UniqueDir directory(::fdopendir(listed.get()));
  if (directory == nullptr) return Failed("list", path);
  listed.Release();
  VCD_ASSIGN_OR_RETURN(const std::vector<std::string> names, ReadNames(std::move(directory), path));
  for (const std::string& child : names) {
    VCD_RETURN_IF_ERROR(RemoveAt(fd.get(), child.c_str(), absl::StrCat(path, "/", child)));
  }
  if (::unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT) return Failed("remove", path);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> PosixFilesystem::ReadFile(const std::string& path) {
  // O_NONBLOCK: a FIFO in the place of a record must not hold the daemon up.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid()) return Failed("open", path);
  std::string bytes;
  char buffer[16384];
  for (;;) {
    const ssize_t count = ::read(fd.get(), buffer, sizeof(buffer));
    if (count == 0) return bytes;
    if (count < 0) {
      if (errno == EINTR) continue;
      return Failed("read", path);
    }
    bytes.append(buffer, static_cast<size_t>(count));
    if (bytes.size() > kMaxReadBytes) {
      return absl::ResourceExhaustedError(absl::StrCat("read ", path, ": is larger than ", kMaxReadBytes, " bytes"));
    }
  }
}

absl::StatusOr<FileKind> PosixFilesystem::Look(const std::string& path) {
  struct stat status;
  if (::lstat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return FileKind::kDirectory;
    return S_ISREG(status.st_mode) ? FileKind::kFile : FileKind::kOther;
  }
  if (errno == ENOENT || errno == ENOTDIR) return FileKind::kNone;
  return Failed("look at", path);
}

absl::StatusOr<std::vector<std::string>> PosixFilesystem::ListDirectory(const std::string& path) {
  UniqueDir directory(::opendir(path.c_str()));
  if (directory == nullptr) return Failed("list", path);
  VCD_ASSIGN_OR_RETURN(std::vector<std::string> names, ReadNames(std::move(directory), path));
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status PosixFilesystem::CreateDirectory(const std::string& path) {
  if (::mkdir(path.c_str(), kDirectoryMode) == 0) return absl::OkStatus();
  if (errno != EEXIST) return Failed("create directory", path);
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) return Failed("look at", path);
  if (S_ISDIR(status.st_mode)) return absl::OkStatus();
  return PosixError(ENOTDIR, absl::StrCat("create directory ", path));
}

absl::Status PosixFilesystem::WriteFile(const std::string& path, const std::string& bytes) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, kFileMode));
  if (!fd.valid()) return Failed("create", path);
  size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t count = ::write(fd.get(), bytes.data() + written, bytes.size() - written);
    if (count < 0) {
      if (errno == EINTR) continue;
      return Failed("write", path);
    }
    written += static_cast<size_t>(count);
  }
  return absl::OkStatus();
}

// A descriptor opened anew does as well as the one that wrote: fsync(2) is about the file, and since Linux 4.17 it also
// tells of write errors that nobody was told of before it was opened.
absl::Status PosixFilesystem::SyncFile(const std::string& path) { return SyncPath(path, O_NONBLOCK, "sync"); }

absl::Status PosixFilesystem::SyncDirectory(const std::string& path) {
  return SyncPath(path, O_DIRECTORY, "sync directory");
}

absl::Status PosixFilesystem::Rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return Failed("rename", absl::StrCat(from, " to ", to));
}

absl::Status PosixFilesystem::RemoveFile(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return Failed("remove", path);
}

absl::Status PosixFilesystem::RemoveTree(const std::string& path) { return RemoveAt(AT_FDCWD, path.c_str(), path); }

}  // namespace vcd

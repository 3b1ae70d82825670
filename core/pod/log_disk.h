// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_LOG_DISK_H_
#define VCD_CORE_POD_LOG_DISK_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/os/unique_fd.h"

namespace vcd {

// The file system as logs need it: they are appended to and read at places, and never synced, for output ends with the
// host. Every change of what is on the disk goes through here, so that a test can stop or fail any of them. Errors
// carry step, path and the kernel's words. Thread-safe; blocks on the disk.
class LogDisk {
 public:
  // The real one.
  static LogDisk& Posix();

  virtual ~LogDisk() = default;

  // Opens a file to read and append, mode 0640; makes it when it is missing.
  virtual absl::StatusOr<UniqueFd> OpenToAppend(const std::string& path);

  // Writes all of `bytes` to the end; after an error a part of them.
  virtual absl::Status Append(int fd, absl::string_view bytes, const std::string& path);

  virtual absl::Status Truncate(int fd, uint64_t size, const std::string& path);
  virtual absl::Status Rename(const std::string& from, const std::string& to);
  // OK when there is none.
  virtual absl::Status Remove(const std::string& path);

  // Makes `path` a symbolic link that holds `text`, at most 59 bytes, whatever was there before. A file system keeps so
  // short a text beside the name, so that this works where there is no room for a byte of a file.
  virtual absl::Status PutNote(const std::string& path, const std::string& text);
};

// The text of PutNote; empty when there is none.
std::string ReadNote(const std::string& path);

// Opens a file to read. kNotFound when there is none.
absl::StatusOr<UniqueFd> OpenLogToRead(const std::string& path);

// The file system of an open file; 0 when it does not say.
dev_t LogFilesystem(int fd);

absl::StatusOr<uint64_t> LogFileSize(int fd, const std::string& path);

// Appends up to `size` bytes at `offset` to `buffer`; the number read, 0 at the end.
absl::StatusOr<size_t> ReadLogFile(int fd, uint64_t offset, size_t size, const std::string& path, std::string* buffer);

// What a log's file is called once it is not the last one any more: "PATH.NUMBER".
std::string FullLogFile(const std::string& path, uint64_t number);

// The numbers of those, sorted. Those that cannot be listed are not there.
std::vector<uint64_t> FullLogFiles(const std::string& path);

}  // namespace vcd

#endif  // VCD_CORE_POD_LOG_DISK_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_FILESYSTEM_H_
#define VCD_CORE_OS_FILESYSTEM_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace vcd {

// What a path itself is, which of a link is a link.
enum class FileKind { kNone, kDirectory, kFile, kOther };

// The file system as durable state needs it, and no more, so that tests may lose what was not synced and fail any call.
// Paths are absolute. Errors carry the step, the path and the kernel's words, with the code that absl::ErrnoToStatus
// gives. Calls block on the disk. Thread-safe as the file system itself is: two writers of one path need a lock.
class Filesystem {
 public:
  virtual ~Filesystem() = default;

  // The whole file. kNotFound when there is none.
  virtual absl::StatusOr<std::string> ReadFile(const std::string& path) = 0;

  // What is of that name, if anything is (lstat(2)).
  virtual absl::StatusOr<FileKind> Look(const std::string& path) = 0;

  // Names in a directory, sorted, without "." and "..". kNotFound when there is none.
  virtual absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path) = 0;

  // Makes a directory, mode 0750; its parent must be there. OK when there is one already.
  virtual absl::Status CreateDirectory(const std::string& path) = 0;

  // Makes or empties a file, mode 0640, and writes all of `bytes`. Not durable, and half done after an error.
  virtual absl::Status WriteFile(const std::string& path, const std::string& bytes) = 0;

  // Makes the content of a file durable.
  virtual absl::Status SyncFile(const std::string& path) = 0;

  // Moves a file or directory over a file or an empty directory in one step. Durable with SyncDirectory of both
  // parents.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;

  // Makes the entries of a directory durable: what was created, renamed into or removed from it.
  virtual absl::Status SyncDirectory(const std::string& path) = 0;

  // Removes a file, not a directory. OK when there is none.
  virtual absl::Status RemoveFile(const std::string& path) = 0;

  // Removes a directory with all that is in it, or a file. Symbolic links are removed, never followed. OK when there is
  // none. An error leaves some of it; a later call goes on.
  virtual absl::Status RemoveTree(const std::string& path) = 0;

  // Replaces a file durably: whatever happens, a reader finds the old content or the new one, and after OK the new one
  // survives a crash of the host. Four of the steps above, in this order: WriteFile of TemporaryPath, SyncFile,
  // Rename, SyncDirectory. After an error the old file is there, except when only the last step failed: then it is the
  // new one, perhaps not durable. A failure of the first three is followed by RemoveFile of the temporary file.
  absl::Status ReplaceFile(const std::string& path, const std::string& bytes);
};

// Where ReplaceFile writes before it renames; a crash may leave it.
std::string TemporaryPath(const std::string& path);

// The directory that holds `path`: "/a" for "/a/b", "/" for "/a".
std::string ParentDirectory(const std::string& path);

}  // namespace vcd

#endif  // VCD_CORE_OS_FILESYSTEM_H_

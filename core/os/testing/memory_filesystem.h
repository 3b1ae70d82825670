// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_TESTING_MEMORY_FILESYSTEM_H_
#define VCD_CORE_OS_TESTING_MEMORY_FILESYSTEM_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/os/filesystem.h"
#include "core/os/mutex.h"

namespace vcd {

// A file system in memory that forgets what was not synced, as strictly as POSIX allows: the content of a file that was
// not synced is empty after DropUnsynced(), and an entry that was not synced is as it was before. Thread-safe.
class MemoryFilesystem : public Filesystem {
 public:
  MemoryFilesystem();

  absl::StatusOr<std::string> ReadFile(const std::string& path) override;
  absl::StatusOr<FileKind> Look(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path) override;
  absl::Status CreateDirectory(const std::string& path) override;
  absl::Status WriteFile(const std::string& path, const std::string& bytes) override;
  absl::Status SyncFile(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status SyncDirectory(const std::string& path) override;
  absl::Status RemoveFile(const std::string& path) override;
  absl::Status RemoveTree(const std::string& path) override;

  // The host lost power: only what was synced is left.
  void DropUnsynced();

 private:
  // A file or a directory, as it is and as the disk has it.
  struct Node {
    bool is_directory = false;
    std::string bytes;
    std::string synced_bytes;
    std::map<std::string, std::shared_ptr<Node>> entries;
    std::map<std::string, std::shared_ptr<Node>> synced_entries;
  };
  static void Revert(Node& node);
  // kNotFound, naming `step` and `path`.
  absl::StatusOr<std::shared_ptr<Node>> Find(const std::string& path, absl::string_view step) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The directory that holds, or would hold, `path`.
  absl::StatusOr<std::shared_ptr<Node>> FindParent(const std::string& path, absl::string_view step) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  const std::shared_ptr<Node> root_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_CORE_OS_TESTING_MEMORY_FILESYSTEM_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_POSIX_FILESYSTEM_H_
#define VCD_CORE_OS_POSIX_FILESYSTEM_H_

#include <string>
#include <vector>

#include "core/os/filesystem.h"

namespace vcd {

// The host's own file system. Has no state.
class PosixFilesystem : public Filesystem {
 public:
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
};

}  // namespace vcd

#endif  // VCD_CORE_OS_POSIX_FILESYSTEM_H_

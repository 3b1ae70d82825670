// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_RECOVERY_MORTAL_FILESYSTEM_H_
#define VCD_TEST_RECOVERY_MORTAL_FILESYSTEM_H_

#include <string>
#include <vector>

#include "core/os/filesystem.h"
#include "test/recovery/crash_point.h"

namespace vcd {

// A daemon's file system: each call that changes something is a step before and a step after; writing is one half way
// too. Both references outlive this.
class MortalFilesystem : public Filesystem {
 public:
  MortalFilesystem(Filesystem& inner, CrashPoint& life) : inner_(inner), life_(life) {}

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

 private:
  Filesystem& inner_;
  CrashPoint& life_;
};

}  // namespace vcd

#endif  // VCD_TEST_RECOVERY_MORTAL_FILESYSTEM_H_

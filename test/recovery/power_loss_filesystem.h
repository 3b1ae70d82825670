// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_TEST_RECOVERY_POWER_LOSS_FILESYSTEM_H_
#define VCD_TEST_RECOVERY_POWER_LOSS_FILESYSTEM_H_

#include <string>
#include <vector>

#include "core/os/filesystem.h"
#include "core/os/testing/memory_filesystem.h"

namespace vcd {

// Passes calls on to a real file system and keeps, beside it, what of them is durable: as strictly as POSIX allows, see
// MemoryFilesystem. `inner` outlives this.
class PowerLossFilesystem : public Filesystem {
 public:
  explicit PowerLossFilesystem(Filesystem& inner) : inner_(inner) {}

  // Makes a directory that is there known as durable, its parents too. Before anything else.
  void Adopt(const std::string& directory);

  // Puts a directory of the real file system back to what was durable of it.
  absl::Status LosePower(const std::string& directory);

  absl::StatusOr<std::string> ReadFile(const std::string& path) override { return inner_.ReadFile(path); }
  absl::StatusOr<FileKind> Look(const std::string& path) override { return inner_.Look(path); }
  absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path) override {
    return inner_.ListDirectory(path);
  }
  absl::Status CreateDirectory(const std::string& path) override;
  absl::Status WriteFile(const std::string& path, const std::string& bytes) override;
  absl::Status SyncFile(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status SyncDirectory(const std::string& path) override;
  absl::Status RemoveFile(const std::string& path) override;
  absl::Status RemoveTree(const std::string& path) override;

 private:
  absl::Status Restore(const std::string& path);

  Filesystem& inner_;
  MemoryFilesystem durable_;
};

}  // namespace vcd

#endif  // VCD_TEST_RECOVERY_POWER_LOSS_FILESYSTEM_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_TESTING_BOUNDED_FILESYSTEM_H_
#define VCD_CORE_OS_TESTING_BOUNDED_FILESYSTEM_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/os/filesystem.h"
#include "core/os/mutex.h"

namespace vcd {

// Passes calls on to another file system, and can be full: then a file gets as many bytes as others have lost since,
// and the rest of them is ENOSPC. Counts what was written through it. Thread-safe.
class BoundedFilesystem : public Filesystem {
 public:
  // `inner` must outlive this.
  explicit BoundedFilesystem(Filesystem& inner) : inner_(inner) {}

  // There is room for what there is, and for no byte more.
  void BeFull() ABSL_LOCKS_EXCLUDED(mu_);

  absl::StatusOr<std::string> ReadFile(const std::string& path) override { return inner_.ReadFile(path); }
  absl::StatusOr<FileKind> Look(const std::string& path) override { return inner_.Look(path); }
  absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path) override {
    return inner_.ListDirectory(path);
  }
  absl::Status CreateDirectory(const std::string& path) override { return inner_.CreateDirectory(path); }
  absl::Status WriteFile(const std::string& path, const std::string& bytes) override ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status SyncFile(const std::string& path) override { return inner_.SyncFile(path); }
  absl::Status Rename(const std::string& from, const std::string& to) override ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status SyncDirectory(const std::string& path) override { return inner_.SyncDirectory(path); }
  absl::Status RemoveFile(const std::string& path) override ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status RemoveTree(const std::string& path) override ABSL_LOCKS_EXCLUDED(mu_);

 private:
  uint64_t UsedLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Filesystem& inner_;
  Mutex mu_;
  std::map<std::string, uint64_t> sizes_ ABSL_GUARDED_BY(mu_);
  std::optional<uint64_t> room_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_CORE_OS_TESTING_BOUNDED_FILESYSTEM_H_

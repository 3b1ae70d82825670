// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_METRIC_METERED_FILESYSTEM_H_
#define VCD_CORE_METRIC_METERED_FILESYSTEM_H_

#include <string>
#include <vector>

#include "core/metric/runtime_metrics.h"
#include "core/os/filesystem.h"

namespace vcd {

// A Filesystem that counts and times the fsyncs of the one below it; all else goes through. Put it right above the one
// that makes the system calls: what shares fsyncs between writers belongs above this. As thread-safe as what is below.
class MeteredFilesystem : public Filesystem {
 public:
  // Both outlive this.
  MeteredFilesystem(Filesystem& below, RuntimeMetrics& metrics) : below_(below), metrics_(metrics) {}

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
  Filesystem& below_;
  RuntimeMetrics& metrics_;
};

}  // namespace vcd

#endif  // VCD_CORE_METRIC_METERED_FILESYSTEM_H_

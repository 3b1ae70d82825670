// SPDX-License-Identifier: Apache-2.0
#include "core/metric/metered_filesystem.h"

#include <chrono>

namespace vcd {
namespace {

template <typename Sync>
absl::Status Timed(RuntimeMetrics& metrics, SyncTarget target, const Sync& sync) {
  const auto began = std::chrono::steady_clock::now();
  absl::Status status = sync();
  metrics.Synced(target, absl::FromChrono(std::chrono::steady_clock::now() - began), status.ok());
  return status;
}

}  // namespace

absl::StatusOr<std::string> MeteredFilesystem::ReadFile(const std::string& path) { return below_.ReadFile(path); }

absl::StatusOr<FileKind> MeteredFilesystem::Look(const std::string& path) { return below_.Look(path); }

absl::StatusOr<std::vector<std::string>> MeteredFilesystem::ListDirectory(const std::string& path) {
  return below_.ListDirectory(path);
}

absl::Status MeteredFilesystem::CreateDirectory(const std::string& path) { return below_.CreateDirectory(path); }

absl::Status MeteredFilesystem::WriteFile(const std::string& path, const std::string& bytes) {
  return below_.WriteFile(path, bytes);
}

absl::Status MeteredFilesystem::SyncFile(const std::string& path) {
  return Timed(metrics_, SyncTarget::kFile, [&] { return below_.SyncFile(path); });
}

absl::Status MeteredFilesystem::Rename(const std::string& from, const std::string& to) {
  return below_.Rename(from, to);
}

absl::Status MeteredFilesystem::SyncDirectory(const std::string& path) {
  return Timed(metrics_, SyncTarget::kDirectory, [&] { return below_.SyncDirectory(path); });
}

absl::Status MeteredFilesystem::RemoveFile(const std::string& path) { return below_.RemoveFile(path); }

absl::Status MeteredFilesystem::RemoveTree(const std::string& path) { return below_.RemoveTree(path); }

}  // namespace vcd

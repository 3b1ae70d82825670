// SPDX-License-Identifier: Apache-2.0
#include "test/recovery/power_loss_filesystem.h"

#include "absl/strings/str_cat.h"
#include "core/status/status_macros.h"

namespace vcd {

void PowerLossFilesystem::Adopt(const std::string& directory) {
  if (directory == "/") return;
  Adopt(ParentDirectory(directory));
  (void)durable_.CreateDirectory(directory);
  (void)durable_.SyncDirectory(ParentDirectory(directory));
}

absl::Status PowerLossFilesystem::LosePower(const std::string& directory) {
  durable_.DropUnsynced();
  VCD_RETURN_IF_ERROR(inner_.RemoveTree(directory));
  VCD_ASSIGN_OR_RETURN(const FileKind there, durable_.Look(directory));
  return there == FileKind::kNone ? absl::OkStatus() : Restore(directory);
}

absl::Status PowerLossFilesystem::Restore(const std::string& path) {
  const absl::StatusOr<std::vector<std::string>> names = durable_.ListDirectory(path);
  if (!names.ok()) {
    VCD_ASSIGN_OR_RETURN(const std::string bytes, durable_.ReadFile(path));
    return inner_.WriteFile(path, bytes);
  }
  VCD_RETURN_IF_ERROR(inner_.CreateDirectory(path));
  for (const std::string& name : *names) VCD_RETURN_IF_ERROR(Restore(absl::StrCat(path, "/", name)));
  return absl::OkStatus();
}

absl::Status PowerLossFilesystem::CreateDirectory(const std::string& path) {
  VCD_RETURN_IF_ERROR(inner_.CreateDirectory(path));
  return durable_.CreateDirectory(path);
}
absl::Status PowerLossFilesystem::WriteFile(const std::string& path, const std::string& bytes) {
  VCD_RETURN_IF_ERROR(inner_.WriteFile(path, bytes));
  return durable_.WriteFile(path, bytes);
}
absl::Status PowerLossFilesystem::SyncFile(const std::string& path) {
  VCD_RETURN_IF_ERROR(inner_.SyncFile(path));
  // One that another process has written, as a VMM does.
  if (absl::IsNotFound(durable_.ReadFile(path).status())) {
    VCD_ASSIGN_OR_RETURN(const std::string bytes, inner_.ReadFile(path));
    VCD_RETURN_IF_ERROR(durable_.WriteFile(path, bytes));
  }
  return durable_.SyncFile(path);
}
absl::Status PowerLossFilesystem::Rename(const std::string& from, const std::string& to) {
  VCD_RETURN_IF_ERROR(inner_.Rename(from, to));
  return durable_.Rename(from, to);
}
absl::Status PowerLossFilesystem::SyncDirectory(const std::string& path) {
  VCD_RETURN_IF_ERROR(inner_.SyncDirectory(path));
  return durable_.SyncDirectory(path);
}
absl::Status PowerLossFilesystem::RemoveFile(const std::string& path) {
  VCD_RETURN_IF_ERROR(inner_.RemoveFile(path));
  return durable_.RemoveFile(path);
}
absl::Status PowerLossFilesystem::RemoveTree(const std::string& path) {
  VCD_RETURN_IF_ERROR(inner_.RemoveTree(path));
  return durable_.RemoveTree(path);
}

}  // namespace vcd

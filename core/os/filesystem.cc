// SPDX-License-Identifier: Apache-2.0
#include "core/os/filesystem.h"

#include "core/status/status_macros.h"

namespace vcd {

std::string TemporaryPath(const std::string& path) { return path + ".tmp"; }

absl::Status Filesystem::ReplaceFile(const std::string& path, const std::string& bytes) {
  const std::string temporary = TemporaryPath(path);
  const absl::Status prepared = [&]() -> absl::Status {
    VCD_RETURN_IF_ERROR(WriteFile(temporary, bytes));
    // Before the rename: otherwise a crash may leave the new name with nothing in it.
    VCD_RETURN_IF_ERROR(SyncFile(temporary));
    return Rename(temporary, path);
  }();
  if (!prepared.ok()) {
    // On a full disk the half-written file is in the way of whoever wants to write next. A crash leaves it; the next
    // ReplaceFile empties it.
    RemoveFile(temporary).IgnoreError();
    return prepared;
  }
  return SyncDirectory(ParentDirectory(path));
}

std::string ParentDirectory(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace vcd

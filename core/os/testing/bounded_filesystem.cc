// SPDX-License-Identifier: Apache-2.0
#include "core/os/testing/bounded_filesystem.h"

#include <cerrno>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {

uint64_t BoundedFilesystem::UsedLocked() const {
  uint64_t used = 0;
  for (const auto& [path, size] : sizes_) used += size;
  return used;
}

void BoundedFilesystem::BeFull() {
  MutexLock lock(&mu_);
  room_ = UsedLocked();
}

absl::Status BoundedFilesystem::WriteFile(const std::string& path, const std::string& bytes) {
  MutexLock lock(&mu_);
  sizes_[path] = 0;
  const uint64_t free = room_.has_value() ? *room_ - UsedLocked() : bytes.size();
  const std::string fits = bytes.substr(0, free);
  VCD_RETURN_IF_ERROR(inner_.WriteFile(path, fits));
  sizes_[path] = fits.size();
  return fits.size() == bytes.size() ? absl::OkStatus() : PosixError(ENOSPC, absl::StrCat("write ", path));
}

absl::Status BoundedFilesystem::Rename(const std::string& from, const std::string& to) {
  MutexLock lock(&mu_);
  VCD_RETURN_IF_ERROR(inner_.Rename(from, to));
  const auto moved = sizes_.extract(from);
  if (!moved.empty()) sizes_[to] = moved.mapped();
  return absl::OkStatus();
}

absl::Status BoundedFilesystem::RemoveFile(const std::string& path) {
  MutexLock lock(&mu_);
  VCD_RETURN_IF_ERROR(inner_.RemoveFile(path));
  sizes_.erase(path);
  return absl::OkStatus();
}

absl::Status BoundedFilesystem::RemoveTree(const std::string& path) {
  MutexLock lock(&mu_);
  VCD_RETURN_IF_ERROR(inner_.RemoveTree(path));
  for (auto it = sizes_.begin(); it != sizes_.end();) {
    const bool inside = it->first == path || absl::StartsWith(it->first, absl::StrCat(path, "/"));
    it = inside ? sizes_.erase(it) : std::next(it);
  }
  return absl::OkStatus();
}

}  // namespace vcd

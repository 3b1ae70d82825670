// SPDX-License-Identifier: Apache-2.0
#include "core/state/disk_reserve.h"

#include <utility>

namespace vcd {
namespace {

// Less is of no use: a block of most file systems.
constexpr size_t kLeastBytes = 4096;

}  // namespace

DiskReserve::DiskReserve(Filesystem& filesystem, std::string path, size_t bytes)
    : filesystem_(filesystem), path_(std::move(path)), bytes_(bytes) {}

void DiskReserve::Fill() {
  MutexLock lock(&mu_);
  FillLocked();
}

void DiskReserve::FillLocked() {
  for (size_t bytes = bytes_; bytes >= kLeastBytes; bytes /= 2) {
    filled_ = filesystem_.WriteFile(path_, std::string(bytes, 'r')).ok();
    if (filled_) return;
    filesystem_.RemoveFile(path_).IgnoreError();
  }
}

absl::Status DiskReserve::Write(const std::function<absl::Status()>& write) {
  absl::Status status = write();
  if (!absl::IsResourceExhausted(status)) {
    if (!filled_) Fill();
    return status;
  }
  MutexLock lock(&mu_);
  if (!filesystem_.RemoveFile(path_).ok()) return status;
  status = write();
  FillLocked();
  return status;
}

}  // namespace vcd

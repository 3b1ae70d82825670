// SPDX-License-Identifier: Apache-2.0
#include "core/device/disk_claims.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace vcd {

DiskClaims::Claim& DiskClaims::Claim::operator=(Claim&& other) noexcept {
  if (this == &other) return *this;
  Release();
  table_ = std::exchange(other.table_, nullptr);
  entry_ = other.entry_;
  return *this;
}

void DiskClaims::Claim::Release() {
  const std::shared_ptr<Table> table = std::exchange(table_, nullptr);
  if (table == nullptr) return;
  MutexLock lock(&table->mu);
  table->entries.erase(entry_);
}

absl::StatusOr<DiskClaims::Claim> DiskClaims::Take(const HostDisk& disk, bool writable, const std::string& holder) {
  Table& table = *table_;
  MutexLock lock(&table.mu);
  for (const Entry& entry : table.entries) {
    if (!entry.disk.Is(disk) || (!writable && !entry.writable)) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(disk.path, ": ", entry.holder, " has it", entry.writable ? " and writes to it" : "",
                     "; a disk that is written is nobody else's: stop that container first, or use a copy"));
  }
  table.entries.push_back({disk, writable, holder});
  return Claim(table_, std::prev(table.entries.end()));
}

}  // namespace vcd

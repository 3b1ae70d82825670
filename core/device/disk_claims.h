// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_DEVICE_DISK_CLAIMS_H_
#define VCD_CORE_DEVICE_DISK_CLAIMS_H_

#include <list>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "core/device/host_disk.h"
#include "core/os/mutex.h"

namespace vcd {

// Who has which disk of the host, over all pods: one that somebody writes to is nobody else's. Thread-safe; claims may
// outlive it.
class DiskClaims {
  struct Entry {
    HostDisk disk;
    bool writable;
    std::string holder;
  };
  struct Table {
    Mutex mu;
    std::list<Entry> entries ABSL_GUARDED_BY(mu);
  };

 public:
  // Gives the disk back when it goes.
  class Claim {
   public:
    Claim(Claim&& other) noexcept : table_(std::exchange(other.table_, nullptr)), entry_(other.entry_) {}
    Claim& operator=(Claim&& other) noexcept;
    ~Claim() { Release(); }

   private:
    friend class DiskClaims;
    Claim(std::shared_ptr<Table> table, std::list<Entry>::iterator entry) : table_(std::move(table)), entry_(entry) {}
    void Release();

    std::shared_ptr<Table> table_;
    std::list<Entry>::iterator entry_;
  };

  // `holder` is for people: "container main of pod web". kFailedPrecondition, naming the other one, when the disk
  // cannot be shared with it.
  absl::StatusOr<Claim> Take(const HostDisk& disk, bool writable, const std::string& holder);

 private:
  const std::shared_ptr<Table> table_ = std::make_shared<Table>();
};

}  // namespace vcd

#endif  // VCD_CORE_DEVICE_DISK_CLAIMS_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_STATE_DISK_RESERVE_H_
#define VCD_CORE_STATE_DISK_RESERVE_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "core/os/filesystem.h"
#include "core/os/mutex.h"

namespace vcd {

// Room of a file system that is kept for what has to be written when it is full: a file that goes for as long as that
// takes. Who else writes there may be quicker to take the room, so this is no promise. Thread-safe.
class DiskReserve {
 public:
  // `filesystem` must outlive this.
  DiskReserve(Filesystem& filesystem, std::string path, size_t bytes);

  // Takes the room; on a disk that is almost full, what there is of it.
  void Fill() ABSL_LOCKS_EXCLUDED(mu_);

  // Runs `write`, and once more with the reserve's room when it says that there is none (kResourceExhausted). One that
  // replaces a file leaves the reserve the room of the old one. Takes the room again as soon as there is some.
  absl::Status Write(const std::function<absl::Status()>& write) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void FillLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Filesystem& filesystem_;
  const std::string path_;
  const size_t bytes_;

  // Held while it is used, which only a disk that is full has us do: of two who want it the second gets what is left.
  Mutex mu_;
  std::atomic<bool> filled_{false};
};

}  // namespace vcd

#endif  // VCD_CORE_STATE_DISK_RESERVE_H_

// SPDX-License-Identifier: Apache-2.0
#include "core/os/shared_sync_filesystem.h"

#include <utility>

namespace vcd {

absl::Status SharedSyncFilesystem::SyncDirectory(const std::string& path) {
  std::shared_ptr<Round> mine;
  {
    MutexLock lock(&mu_);
    Rounds& rounds = rounds_[path];
    if (rounds.next == nullptr) rounds.next = std::make_shared<Round>();
    mine = rounds.next;
    // Until this round is done, or may begin and nobody of it has begun it.
    ++waiting_;
    while (!mine->done && (mine->started || rounds_[path].now != nullptr)) mine->changed.Wait(&mu_);
    --waiting_;
    if (mine->done) return mine->status;
    mine->started = true;
    rounds_[path].now = mine;
    rounds_[path].next = nullptr;
  }
  absl::Status status = inner_.SyncDirectory(path);
  MutexLock lock(&mu_);
  mine->done = true;
  mine->status = status;
  Rounds& rounds = rounds_[path];
  rounds.now = nullptr;
  mine->changed.NotifyAll();
  if (rounds.next == nullptr) {
    rounds_.erase(path);
  } else {
    // One of those who wait makes the next, unless somebody who comes meanwhile does.
    rounds.next->changed.NotifyOne();
  }
  return status;
}

}  // namespace vcd

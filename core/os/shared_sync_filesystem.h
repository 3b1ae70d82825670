// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_SHARED_SYNC_FILESYSTEM_H_
#define VCD_CORE_OS_SHARED_SYNC_FILESYSTEM_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/os/filesystem.h"
#include "core/os/mutex.h"

namespace vcd {

// Lets those who sync one directory at the same time share an fsync(2): while one is under way all that come wait for
// the next, which covers what each of them did before it came, and which one of them makes. The directory of all pods
// is synced with every pod that comes or goes, so under load this is most of its fsyncs. Everything else is passed on.
// Thread-safe as `inner` is, which outlives this.
class SharedSyncFilesystem : public Filesystem {
 public:
  explicit SharedSyncFilesystem(Filesystem& inner) : inner_(inner) {}

  absl::Status SyncDirectory(const std::string& path) override ABSL_LOCKS_EXCLUDED(mu_);

  // Callers that wait for a sync which another one makes, or for their turn, for tests.
  int waiting() const ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    return waiting_;
  }

  absl::StatusOr<std::string> ReadFile(const std::string& path) override { return inner_.ReadFile(path); }
  absl::StatusOr<FileKind> Look(const std::string& path) override { return inner_.Look(path); }
  absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path) override {
    return inner_.ListDirectory(path);
  }
  absl::Status CreateDirectory(const std::string& path) override { return inner_.CreateDirectory(path); }
  absl::Status WriteFile(const std::string& path, const std::string& bytes) override {
    return inner_.WriteFile(path, bytes);
  }
  absl::Status SyncFile(const std::string& path) override { return inner_.SyncFile(path); }
  absl::Status Rename(const std::string& from, const std::string& to) override { return inner_.Rename(from, to); }
  absl::Status RemoveFile(const std::string& path) override { return inner_.RemoveFile(path); }
  absl::Status RemoveTree(const std::string& path) override { return inner_.RemoveTree(path); }

 private:
  // One fsync, to come or under way, and those it is for.
  struct Round {
    bool started = false;
    bool done = false;
    absl::Status status;
    // Wakes those of this round and nobody else: with many pods under way, most syncs are of directories that no other
    // thread waits for.
    CondVar changed;
  };

  Filesystem& inner_;
  mutable Mutex mu_;
  // Of directories that somebody syncs or waits for: the round under way, and the one after it. Either may be null.
  struct Rounds {
    std::shared_ptr<Round> now;
    std::shared_ptr<Round> next;
  };
  std::map<std::string, Rounds> rounds_ ABSL_GUARDED_BY(mu_);
  int waiting_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace vcd

#endif  // VCD_CORE_OS_SHARED_SYNC_FILESYSTEM_H_

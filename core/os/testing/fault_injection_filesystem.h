// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_TESTING_FAULT_INJECTION_FILESYSTEM_H_
#define VCD_CORE_OS_TESTING_FAULT_INJECTION_FILESYSTEM_H_

#include <string>
#include <vector>

#include "core/os/filesystem.h"
#include "core/os/mutex.h"

namespace vcd {

// Passes calls on to another file system and fails the chosen ones. Calls of the virtual methods count from 1 (so
// ReplaceFile is four). Thread-safe.
class FaultInjectionFilesystem : public Filesystem {
 public:
  // `inner` must outlive this.
  explicit FaultInjectionFilesystem(Filesystem& inner) : inner_(inner) {}

  // Call number `call` has no effect and fails with that errno.
  void FailCall(int call, int error_number);

  // Like FailCall, but a WriteFile leaves the first half of its bytes.
  void ShortWriteCall(int call, int error_number);

  // Every call from number `call` on has no effect and fails with EIO, as if the process had been killed before it.
  void StopAtCall(int call);

  // Forgets the faults and counts from 1 again.
  void Reset();

  // Calls so far, for going through all of them: "WriteFile /a/b", in order.
  std::vector<std::string> calls() const;

  absl::StatusOr<std::string> ReadFile(const std::string& path) override;
  absl::StatusOr<FileKind> Look(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path) override;
  absl::Status CreateDirectory(const std::string& path) override;
  absl::Status WriteFile(const std::string& path, const std::string& bytes) override;
  absl::Status SyncFile(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status SyncDirectory(const std::string& path) override;
  absl::Status RemoveFile(const std::string& path) override;
  absl::Status RemoveTree(const std::string& path) override;

 private:
  // Counts a call; the error it is to give. `short_write` tells whether it is of that kind.
  absl::Status Begin(const std::string& call, bool* short_write = nullptr);

  Filesystem& inner_;
  mutable Mutex mu_;
  std::vector<std::string> calls_ ABSL_GUARDED_BY(mu_);
  int fail_call_ ABSL_GUARDED_BY(mu_) = 0;
  int fail_errno_ ABSL_GUARDED_BY(mu_) = 0;
  bool fail_short_ ABSL_GUARDED_BY(mu_) = false;
  int stop_at_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace vcd

#endif  // VCD_CORE_OS_TESTING_FAULT_INJECTION_FILESYSTEM_H_

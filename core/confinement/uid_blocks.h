// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_CONFINEMENT_UID_BLOCKS_H_
#define VCD_CORE_CONFINEMENT_UID_BLOCKS_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/os/mutex.h"

namespace vcd {

// User ids of the host for pods, in blocks of 65536: a user namespace has room in one, and the VMM is the last but one
// of it. Who has a block is in a directory, as a symbolic link `<number of the block> → <run directory of the pod>`:
// making it is exclusive and reserves the block, so that no crash loses or doubles one, and a block whose pod's
// directory is gone is free again. One directory belongs to one daemon. Thread-safe.
class UidBlocks {
 public:
  static constexpr uint32_t kBlockSize = 65536;
  // The VMM's user within a block, for both user and group. 65535 is no id in 16 bits.
  static constexpr uint32_t kVmmUid = 65534;

  // As many blocks as fit into `uid_count` from `first_uid` on. The directory is made when a block is first taken.
  UidBlocks(std::string directory, uint32_t first_uid, uint32_t uid_count)
      : directory_(std::move(directory)), first_uid_(first_uid), blocks_(uid_count / kBlockSize) {}

  // Reserves a block for the pod of that run directory, which exists; the one it has, if it has one. Returns its first
  // user id. kResourceExhausted when all are taken.
  absl::StatusOr<uint32_t> Take(const std::string& run_dir) ABSL_LOCKS_EXCLUDED(mu_);

  // The first user id of the block that the pod has; 0 when it has none.
  absl::StatusOr<uint32_t> Find(const std::string& run_dir) ABSL_LOCKS_EXCLUDED(mu_);

  // Gives it back; OK when the pod has none.
  absl::Status GiveBack(const std::string& run_dir) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  std::string LinkOf(uint32_t block) const;
  // As Find; `owners` by block.
  uint32_t FindIn(const std::map<uint32_t, std::string>& owners, const std::string& run_dir) const;

  const std::string directory_;
  const uint32_t first_uid_;
  const uint32_t blocks_;
  // What is found in the directory must still be so when it is acted upon.
  Mutex mu_;
};

}  // namespace vcd

#endif  // VCD_CORE_CONFINEMENT_UID_BLOCKS_H_

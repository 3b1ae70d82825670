// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_ASSET_FILE_DIGEST_CACHE_H_
#define VCD_CORE_ASSET_FILE_DIGEST_CACHE_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/os/cancellation.h"
#include "core/os/mutex.h"

namespace vcd {

// SHA-512 of files that hardly ever change and are asked about often: each is read once, and once more only when it is
// another file than it was, by device, inode, size and both of its times. Thread-safe.
class FileDigestCache {
 public:
  // Remembers that many files; beyond, the one that was not asked for longest is forgotten.
  explicit FileDigestCache(size_t max_files = 64) : max_files_(max_files) {}

  // 128 lower-case hexadecimal digits. What is hashed is what the descriptor holds that this opens, also when the name
  // gets another file meanwhile. kNotFound and others as the kernel says, kInvalidArgument for what is empty or no
  // regular file, kAborted when it is written to while it is read. Blocks on the disk, for as long as the context
  // allows: a sparse file may be larger than any disk.
  absl::StatusOr<std::string> Sha512(const std::string& path, const CallContext& context) ABSL_LOCKS_EXCLUDED(mu_);

  // How many files were read so far.
  uint64_t reads() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // Device, inode, size, and the times of the last change of content and of inode in nanoseconds.
  using Identity = std::tuple<dev_t, ino_t, off_t, int64_t, int64_t>;
  struct Entry {
    std::string digest;
    uint64_t last_use = 0;
  };

  static absl::StatusOr<Identity> IdentityOf(int fd, const std::string& path);
  void Remember(const Identity& identity, const std::string& digest) ABSL_LOCKS_EXCLUDED(mu_);

  const size_t max_files_;
  mutable Mutex mu_;
  std::map<Identity, Entry> entries_ ABSL_GUARDED_BY(mu_);
  uint64_t uses_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t reads_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace vcd

#endif  // VCD_CORE_ASSET_FILE_DIGEST_CACHE_H_

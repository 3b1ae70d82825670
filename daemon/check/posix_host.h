// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_CHECK_POSIX_HOST_H_
#define VCD_DAEMON_CHECK_POSIX_HOST_H_

#include <string>
#include <vector>

#include "daemon/check/host.h"

namespace vcd {

// The host that this process runs on.
class PosixHost : public Host {
 public:
  absl::StatusOr<struct stat> Stat(const std::string& path) const override;
  absl::Status Access(const std::string& path, int mode) const override;
  absl::StatusOr<std::string> Read(const std::string& path, uint64_t offset, size_t max_bytes) const override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) const override;
  absl::StatusOr<FilesystemSpace> Space(const std::string& path) const override;
  absl::StatusOr<std::string> Run(const std::vector<std::string>& argv, absl::Time deadline) const override;
  bool HasSystemCall(int64_t number) const override;
  ProcessLimit Limit(int resource) const override;
  bool HasGroup(const std::string& name) const override;
  uid_t user_id() const override;
  absl::Time Now() const override;
  absl::Status TryKvm() const override;
};

}  // namespace vcd

#endif  // VCD_DAEMON_CHECK_POSIX_HOST_H_

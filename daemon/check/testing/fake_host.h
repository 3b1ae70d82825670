// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_CHECK_TESTING_FAKE_HOST_H_
#define VCD_DAEMON_CHECK_TESTING_FAKE_HOST_H_

#include <atomic>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "daemon/check/host.h"
#include "proto/vcd/config/v1/daemon_config.pb.h"

namespace vcd {

// What GoodConfig names.
inline constexpr char kHostQemu[] = "/usr/bin/qemu-system-x86_64";
inline constexpr char kHostKernel[] = "/usr/share/vcd/vmlinux";
inline constexpr char kHostInitrd[] = "/usr/share/vcd/initramfs.cpio";
inline constexpr char kHostVirtiofsd[] = "/usr/lib/qemu/virtiofsd";

// A host in which all is well, until a test breaks it. Not changed while it is looked at.
class FakeHost : public Host {
 public:
  struct File {
    std::string content;
    struct stat info = {};  // But for its size, which is that of the content.
    int denied = 0;         // R_OK, W_OK, X_OK that this process does not have.
  };

  // With all that the configuration of GoodConfig names.
  FakeHost();

  // A file, or whatever `mode` says, in directories that are made too. One that is there is replaced.
  File& Add(const std::string& path, const std::string& content = "", mode_t mode = S_IFREG | 0755);
  File& file(const std::string& path) { return files.at(path); }
  // It, and all below.
  void Remove(const std::string& path);
  // There is no KVM, on a CPU with these flags.
  void RemoveKvm(const std::string& cpu_flags);

  absl::StatusOr<struct stat> Stat(const std::string& path) const override;
  absl::Status Access(const std::string& path, int mode) const override;
  absl::StatusOr<std::string> Read(const std::string& path, uint64_t offset, size_t max_bytes) const override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) const override;
  absl::StatusOr<FilesystemSpace> Space(const std::string& path) const override;
  absl::StatusOr<std::string> Run(const std::vector<std::string>& argv, absl::Time deadline) const override;
  bool HasSystemCall(int64_t number) const override { return missing_calls.count(number) == 0; }
  ProcessLimit Limit(int resource) const override;
  bool HasGroup(const std::string& name) const override { return groups.count(name) != 0; }
  uid_t user_id() const override { return user; }
  absl::Time Now() const override { return now; }
  absl::Status TryKvm() const override { return kvm; }

  std::map<std::string, File> files;
  std::map<std::string, FilesystemSpace> spaces;  // Of the longest path that is there.
  std::map<std::string, std::string> answers;     // Of a program by its arguments, such as "-version".
  std::set<int64_t> missing_calls;
  std::map<int, ProcessLimit> limits;
  std::set<std::string> groups = {"vcd"};
  uid_t user = 0;
  absl::Time now;
  absl::Status kvm;
  mutable std::atomic<int> programs_run{0};
};

// What the daemon has with nothing configured, for FakeHost.
config::v1::DaemonConfig GoodConfig();

}  // namespace vcd

#endif  // VCD_DAEMON_CHECK_TESTING_FAKE_HOST_H_

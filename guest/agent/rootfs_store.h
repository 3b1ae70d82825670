// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_ROOTFS_STORE_H_
#define VCD_GUEST_AGENT_ROOTFS_STORE_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "guest/agent/container_filesystem.h"
#include "guest/agent/outcome.h"
#include "guest/agent/shared_files.h"
#include "guest/agent/shared_mount.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd::guest {

// A container's root file system: how to build it, and what must stay mounted meanwhile.
struct RootfsLease {
  RootPlan plan;
  std::shared_ptr<SharedMount> mount;
};

// Makes the file systems that hold containers' roots available. Each disk is mounted once, however many containers use
// it, and unmounted with the last of them.
class RootfsStore {
 public:
  struct Options {
    std::string state_dir;           // Where to mount. Must exist.
    bool allow_directories = false;  // RootfsSource.directory: only in an agent run for tests.
    // Loads kernel modules: "scsi", "blk", "overlay", or the type of a file system.
    std::function<Outcome(const std::string& group)> load_modules;
  };
  // `shares` outlives it.
  RootfsStore(Options options, SharedFiles& shares);

  // Gives the lease, or nothing while the device is not there yet: try again when devices have changed.
  OutcomeOr<std::optional<RootfsLease>> Acquire(const ::vcd::agent::v1::RootfsSource& source);

 private:
  using MaybeMount = OutcomeOr<std::shared_ptr<SharedMount>>;  // Null while the device is not there.

  MaybeMount MountLun(const ::vcd::agent::v1::RootfsSource::ScsiLun& lun);
  // How to mount it; nothing while the disk is not there.
  OutcomeOr<std::optional<FilesystemRequest>> FindBlock(const ::vcd::agent::v1::RootfsSource::Block& block,
                                                        bool readonly);
  OutcomeOr<std::string> MakeMountPoint();

  const Options options_;
  SharedFiles& shares_;
  std::map<std::string, std::weak_ptr<SharedMount>> mounts_;  // Of disks, by address.
  int last_mount_point_ = 0;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_ROOTFS_STORE_H_

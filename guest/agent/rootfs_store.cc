// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/rootfs_store.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "guest/agent/disks.h"
#include "guest/agent/file_io.h"
#include "guest/agent/mounts.h"

namespace vcd::guest {
namespace {

using ::vcd::agent::v1::RootfsSource;

OutcomeOr<std::vector<std::string>> FilesystemTypes(const std::string& wanted) {
  const std::vector<std::string> known = {"erofs", "squashfs", "ext4"};
  if (wanted.empty()) return known;
  for (const std::string& type : known) {
    if (type == wanted) return std::vector<std::string>{type};
  }
  return Invalid("file system type \"" + wanted + "\" of the root disk: only erofs, squashfs and ext4 are known");
}

}  // namespace

RootfsStore::RootfsStore(Options options, SharedFiles& shares) : options_(std::move(options)), shares_(shares) {}

OutcomeOr<std::optional<RootfsLease>> RootfsStore::Acquire(const RootfsSource& source) {
  const auto scratch = options_.state_dir + "/scratch";
  if (Outcome made = MakeDirectories(scratch); !made.ok()) return made;

  RootfsLease lease;
  lease.plan.readonly = source.readonly();
  lease.plan.scratch = scratch;
  // What must not change is overlaid as well: the container's mount points have to be made somewhere.
  lease.plan.overlay = source.readonly() || source.has_scsi_lun() || source.block().overlay();
  if (lease.plan.overlay) {
    if (Outcome loaded = options_.load_modules("overlay"); !loaded.ok()) return loaded;
  }
  if (!source.has_scsi_lun() && !source.has_virtiofs() && !source.has_block()) {
    if (source.directory().empty()) return Invalid("the container has no root file system");
    if (!options_.allow_directories) return Invalid("a root file system in a directory of the guest is not allowed");
    struct stat info {};
    if (::stat(source.directory().c_str(), &info) != 0) return SystemFailure("root directory " + source.directory());
    if (!S_ISDIR(info.st_mode)) return SystemFailure("root directory " + source.directory(), ENOTDIR);
    lease.plan.base = source.directory();
    return std::make_optional(std::move(lease));
  }
  if (options_.allow_directories) return Invalid("this agent is not in a virtual machine: it has no disks and shares");
  if (source.has_virtiofs()) {
    auto shared = shares_.Acquire(source.virtiofs());
    if (!shared.ok()) return shared.outcome();
    if (!shared->has_value()) return std::optional<RootfsLease>();
    lease.mount = (**shared).mount;
    lease.plan.base = (**shared).path;
    return std::make_optional(std::move(lease));
  }
  if (source.has_block()) {
    auto disk = FindBlock(source.block(), /*readonly=*/lease.plan.overlay);
    if (!disk.ok()) return disk.outcome();
    if (!disk->has_value()) return std::optional<RootfsLease>();
    lease.plan.disk = *std::move(*disk);
    lease.plan.base = options_.state_dir + "/base";
    if (Outcome made = MakeDirectories(lease.plan.base); !made.ok()) return made;
    return std::make_optional(std::move(lease));
  }
  MaybeMount mount = MountLun(source.scsi_lun());
  if (!mount.ok()) return mount.outcome();
  if (*mount == nullptr) return std::optional<RootfsLease>();
  lease.mount = *mount;
  lease.plan.base = lease.mount->path();
  return std::make_optional(std::move(lease));
}

RootfsStore::MaybeMount RootfsStore::MountLun(const RootfsSource::ScsiLun& lun) {
  const std::string address = "target " + std::to_string(lun.target()) + " lun " + std::to_string(lun.lun());
  if (auto mounted = mounts_[address].lock()) return mounted;
  auto types = FilesystemTypes(lun.fs_type());
  if (!types.ok()) return types.outcome();
  ::vcd::agent::v1::DiskAddress disk;
  disk.mutable_scsi_lun()->set_target(lun.target());
  disk.mutable_scsi_lun()->set_lun(lun.lun());
  OutcomeOr<std::string> device = FindDisk(disk, options_.load_modules);
  if (!device.ok()) return device.outcome();
  if (device->empty()) return std::shared_ptr<SharedMount>();
  auto point = MakeMountPoint();
  if (!point.ok()) return point.outcome();
  Outcome refused;
  for (const std::string& type : *types) {
    if (Outcome loaded = options_.load_modules(type); !loaded.ok()) return loaded;
    // An ext4 that was not unmounted cleanly wants to replay its journal, which a read-only disk does not let it.
    const Outcome mounted = Mount({*device, *point, type, MS_RDONLY | MS_NODEV, type == "ext4" ? "noload" : ""});
    if (mounted.ok()) {
      auto mount = std::make_shared<SharedMount>(*point);
      mounts_[address] = mount;
      return mount;
    }
    if (refused.ok()) refused = mounted;
  }
  ::rmdir(point->c_str());
  return Outcome(refused.code(), refused.message() + " (disk at " + address + "; is it a whole " + (*types)[0] +
                                     " image, not a partitioned disk?)");
}

OutcomeOr<std::optional<FilesystemRequest>> RootfsStore::FindBlock(const RootfsSource::Block& block, bool readonly) {
  OutcomeOr<std::string> device = FindDisk(block.disk(), options_.load_modules);
  if (!device.ok()) return device.outcome();
  if (device->empty()) return std::optional<FilesystemRequest>();
  if (Outcome loaded = options_.load_modules(block.fs_type()); !loaded.ok()) return loaded;
  std::vector<std::string> options(block.options().begin(), block.options().end());
  if (readonly) options.push_back("ro");
  return std::make_optional(DiskFilesystem(block.fs_type(), *device, options));
}

OutcomeOr<std::string> RootfsStore::MakeMountPoint() {
  std::string path = options_.state_dir + "/mnt/" + std::to_string(++last_mount_point_);
  if (Outcome made = MakeDirectories(path); !made.ok()) return made;
  return path;
}

}  // namespace vcd::guest

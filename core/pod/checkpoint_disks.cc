// SPDX-License-Identifier: Apache-2.0
#include "core/pod/checkpoint_disks.h"

#include <sys/statvfs.h>

#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/checkpoint/disk_copy.h"
#include "core/device/host_disk.h"
#include "core/model/mounts.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// A disk with less room than this is the cause, whatever else is told.
constexpr uint64_t kFullBytes = 4 << 20;

// Where a container's configuration names disks that it writes to, and devices that may be others.
std::vector<std::string*> WrittenPaths(v1::ContainerConfig& container) {
  std::vector<std::string*> paths;
  if (container.rootfs().has_block() && !container.rootfs().readonly()) {
    paths.push_back(container.mutable_rootfs()->mutable_block()->mutable_path());
  }
  for (v1::Mount& mount : *container.mutable_mounts()) {
    if (KindOf(mount).value_or(MountKind::kGuest) == MountKind::kDisk && !IsReadOnly(mount)) {
      paths.push_back(mount.mutable_source());
    }
  }
  for (v1::Device& device : *container.mutable_devices()) {
    if (!device.host_path().empty() && !device.readonly()) paths.push_back(device.mutable_host_path());
  }
  return paths;
}

bool IsDisk(const std::string& path) {
  std::error_code error;
  const std::filesystem::file_status there = std::filesystem::status(path, error);
  return std::filesystem::is_regular_file(there) || std::filesystem::is_block_file(there);
}

// By what the machine knows them.
std::map<std::string, std::string> WrittenDisks(const state::v1::PodRecord& record) {
  std::map<std::string, std::string> ids;
  for (const state::v1::BlockDevice& disk : record.vm().block_devices()) {
    if (disk.writable()) ids[disk.path()] = disk.id();
  }
  return ids;
}

// Copies one out of the checkpoint.
absl::Status PlaceDisk(Filesystem& filesystem, const Checkpoint& checkpoint, const std::string& path,
                       const std::string& id, const CallContext& context) {
  const std::string directory = ParentDirectory(path);
  const auto kept = checkpoint.disks.find(DiskFile(id));
  if (kept == checkpoint.disks.end()) return absl::InternalError(absl::StrCat("disk ", id, " was not read"));
  VCD_RETURN_IF_ERROR(filesystem.CreateDirectory(directory));
  VCD_RETURN_IF_ERROR(CopyOpenDisk(kept->second.get(), absl::StrCat(checkpoint.disks_dir, "/", id), path, context));
  VCD_RETURN_IF_ERROR(filesystem.SyncFile(path));
  VCD_RETURN_IF_ERROR(filesystem.SyncDirectory(directory));
  return filesystem.SyncDirectory(ParentDirectory(directory));
}

}  // namespace

DiskProblem FindDiskProblem(const v1::PodConfig& config, const state::v1::PodRecord& record) {
  for (const state::v1::BlockDevice& disk : record.vm().block_devices()) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(disk.path(), error)) {
      return {absl::StrCat("its disk ", disk.path(), " is no file"), "use image files"};
    }
  }
  const std::map<std::string, std::string> written = WrittenDisks(record);
  for (v1::ContainerConfig container : config.containers()) {
    for (const std::string* path : WrittenPaths(container)) {
      if (written.count(*path) != 0 || !IsDisk(*path)) continue;
      // A pod that is made of it would write to the disk of this one.
      return {absl::StrCat("its container ", container.id(), ", which was stopped, writes to ", *path),
              "start the container, or delete it first"};
    }
  }
  return {};
}

absl::Status KeepWrittenDisks(const state::v1::PodRecord& record, CheckpointWriter& writer,
                              const CallContext& context) {
  for (const auto& [path, id] : WrittenDisks(record)) VCD_RETURN_IF_ERROR(writer.AddDisk(id, path, context));
  return absl::OkStatus();
}

bool WritesDisks(const state::v1::PodRecord& record) { return !WrittenDisks(record).empty(); }

uint64_t DiskBytes(const state::v1::PodRecord& record) {
  uint64_t bytes = 0;
  for (const state::v1::BlockDevice& disk : record.vm().block_devices()) {
    std::error_code error;
    const uint64_t size = std::filesystem::file_size(disk.path(), error);
    if (!error) bytes += size;
  }
  return bytes;
}

absl::StatusOr<std::vector<CheckpointFile>> DescribeDisks(const state::v1::PodRecord& record, FileDigestCache& digests,
                                                          const CallContext& context) {
  std::map<std::string, CheckpointFile> disks;
  for (const state::v1::BlockDevice& device : record.vm().block_devices()) {
    if (device.writable()) continue;
    VCD_ASSIGN_OR_RETURN(std::string digest, digests.Sha512(device.path(), context));
    std::error_code error;
    const uint64_t bytes = std::filesystem::file_size(device.path(), error);
    disks[device.path()] = {device.path(), error ? 0 : bytes, std::move(digest)};
  }
  std::vector<CheckpointFile> list;
  for (auto& [path, disk] : disks) list.push_back(std::move(disk));
  return list;
}

std::string FindDiskContradiction(const Checkpoint& checkpoint) {
  std::set<std::string> read, kept, ids;
  for (const CheckpointFile& disk : checkpoint.manifest.disks) read.insert(disk.path);
  for (const CheckpointFile& file : checkpoint.manifest.files) kept.insert(file.path);
  for (const state::v1::BlockDevice& disk : checkpoint.record.vm().block_devices()) {
    const bool told = disk.writable() ? kept.count(DiskFile(disk.id())) != 0 : read.count(disk.path()) != 0;
    if (!told || !ids.insert(disk.id()).second) {
      return absl::StrCat("disk ", disk.id(), " is none of those in manifest.json");
    }
  }
  const std::map<std::string, std::string> written = WrittenDisks(checkpoint.record);
  std::set<std::string> configured;
  for (v1::ContainerConfig container : checkpoint.config.containers()) {
    for (const std::string* path : WrittenPaths(container)) {
      if (written.count(*path) == 0 && IsDisk(*path)) {
        return absl::StrCat("tells of no disk ", *path, " of container ", container.id());
      }
      configured.insert(*path);
    }
  }
  for (const auto& [path, id] : written) {
    if (configured.count(path) == 0) return absl::StrCat("disk ", id, " is none of those in pod.json");
  }
  return "";
}

void MoveWrittenDisks(const std::string& directory, v1::PodConfig* config, state::v1::PodRecord* record) {
  const std::map<std::string, std::string> written = WrittenDisks(*record);
  const auto move = [&](std::string* path) {
    const auto found = written.find(*path);
    if (found != written.end()) *path = absl::StrCat(directory, "/", found->second);
  };
  for (v1::ContainerConfig& container : *config->mutable_containers()) {
    for (std::string* path : WrittenPaths(container)) move(path);
  }
  for (state::v1::BlockDevice& disk : *record->mutable_vm()->mutable_block_devices()) {
    if (disk.writable()) move(disk.mutable_path());
  }
}

absl::Status ExplainFullDisk(const absl::Status& status, const std::string& path, absl::string_view next) {
  if (status.ok()) return status;
  const std::string parent = ParentDirectory(path);
  struct statvfs disk = {};
  // What was copied half is gone by now, and so there may be room again.
  const bool full = absl::IsResourceExhausted(status) ||
                    (::statvfs(parent.c_str(), &disk) == 0 && disk.f_bavail * disk.f_frsize < kFullBytes);
  if (!full) return status;
  return absl::ResourceExhaustedError(
      absl::StrCat("there is no room left in ", parent, "; ", next, ": ", status.message()));
}

absl::Status PlaceWrittenDisks(Filesystem& filesystem, const Checkpoint& checkpoint, const CallContext& context) {
  for (const auto& [path, id] : WrittenDisks(checkpoint.record)) {
    VCD_RETURN_IF_ERROR(ExplainFullDisk(PlaceDisk(filesystem, checkpoint, path, id, context), ParentDirectory(path),
                                        "make some for the pod's own copies of its disks, and restore it again"));
  }
  return absl::OkStatus();
}

absl::Status ClaimDisks(Pod& pod, const Checkpoint& checkpoint) {
  for (const state::v1::BlockDevice& device : checkpoint.record.vm().block_devices()) {
    VCD_ASSIGN_OR_RETURN(const HostDisk disk, FindHostDisk(device.path()));
    VCD_ASSIGN_OR_RETURN(DiskClaims::Claim claim,
                         pod.ClaimDisk(disk, device.writable(), absl::StrCat("disk ", device.id())));
    pod.HoldDisk(device.id(), std::move(claim));
  }
  return absl::OkStatus();
}

}  // namespace vcd

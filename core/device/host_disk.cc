// SPDX-License-Identifier: Apache-2.0
#include "core/device/host_disk.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <set>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/device/host_mounts.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

std::optional<dev_t> ParseNumber(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  unsigned high = 0, low = 0;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &high) || !absl::SimpleAtoi(parts[1], &low)) return std::nullopt;
  return makedev(high, low);
}

std::string BlockDirectory(const HostTree& host, dev_t device) {
  return absl::StrCat(host.sysfs, "/dev/block/", major(device), ":", minor(device));
}

// A device with its partitions and all that is made of them.
void AddWithUsers(const HostTree& host, dev_t device, std::set<dev_t>* devices, std::vector<std::string>* holders) {
  if (!devices->insert(device).second) return;
  const std::string directory = BlockDirectory(host, device);
  for (const std::string& name : ListKernelDirectory(directory)) {
    if (ReadKernelLine(absl::StrCat(directory, "/", name, "/partition")).empty()) continue;
    if (const auto part = ParseNumber(ReadKernelLine(absl::StrCat(directory, "/", name, "/dev")))) {
      AddWithUsers(host, *part, devices, holders);
    }
  }
  for (const std::string& name : ListKernelDirectory(absl::StrCat(directory, "/holders"))) {
    holders->push_back(name);
    if (const auto holder = ParseNumber(ReadKernelLine(absl::StrCat(directory, "/holders/", name, "/dev")))) {
      AddWithUsers(host, *holder, devices, holders);
    }
  }
}

// The loop devices over a file.
void AddLoops(const HostTree& host, const HostDisk& disk, std::set<dev_t>* devices, std::vector<std::string>* holders) {
  const std::string block = absl::StrCat(host.sysfs, "/block/");
  for (const std::string& name : ListKernelDirectory(block)) {
    if (!absl::StartsWith(name, "loop")) continue;
    const std::string file = ReadKernelLine(absl::StrCat(block, name, "/loop/backing_file"));
    struct stat status;
    if (file.empty() || ::stat(file.c_str(), &status) != 0) continue;
    if (status.st_dev != disk.device || status.st_ino != disk.inode) continue;
    if (const auto loop = ParseNumber(ReadKernelLine(absl::StrCat(block, name, "/dev")))) {
      AddWithUsers(host, *loop, devices, holders);
    }
  }
}

// A file system over several devices, such as btrfs, has a number of its own and names one of them.
bool IsOn(const HostMount& mount, const std::set<dev_t>& devices) {
  if (devices.count(mount.device) != 0) return true;
  struct stat status;
  return major(mount.device) == 0 && absl::StartsWith(mount.source, "/dev/") &&
         ::stat(mount.source.c_str(), &status) == 0 && S_ISBLK(status.st_mode) && devices.count(status.st_rdev) != 0;
}

}  // namespace

absl::StatusOr<HostDisk> FindHostDisk(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) return PosixError(errno, path);
  HostDisk disk;
  disk.path = path;
  if (S_ISBLK(status.st_mode)) {
    disk.is_device = true;
    disk.device = status.st_rdev;
    return disk;
  }
  if (S_ISDIR(status.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is a directory, not an image file or block device"));
  }
  if (!S_ISREG(status.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is neither an image file nor a block device"));
  }
  disk.device = status.st_dev;
  disk.inode = status.st_ino;
  return disk;
}

absl::Status CheckDiskIsFree(const HostTree& host, const HostDisk& disk, bool writable) {
  std::set<dev_t> devices;
  std::vector<std::string> holders;
  if (disk.is_device) {
    AddWithUsers(host, disk.device, &devices, &holders);
  } else {
    AddLoops(host, disk, &devices, &holders);
    if (devices.empty()) return absl::OkStatus();
  }
  VCD_ASSIGN_OR_RETURN(const std::vector<HostMount> mounts, ReadHostMounts(host));
  for (const HostMount& mount : mounts) {
    if (!IsOn(mount, devices)) continue;
    if (writable) {
      return absl::FailedPreconditionError(absl::StrCat(disk.path, ": the host has it mounted on ", mount.mount_point,
                                                        "; two writers would destroy it: unmount it there first"));
    }
    if (!mount.readonly) {
      return absl::FailedPreconditionError(
          absl::StrCat(disk.path, ": the host has it mounted on ", mount.mount_point,
                       " and may write to it while the guest reads; unmount it there, or remount it read-only, first"));
    }
  }
  if (writable && !holders.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(disk.path, ": the host's ", holders.front(),
                                                      " is made of it; take that apart first, or use it instead"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<MappedRoot>> FindMappedRoot(const HostTree& host, const std::string& directory,
                                                         dev_t device) {
  const std::string sysfs = BlockDirectory(host, device);
  if (ReadKernelLine(absl::StrCat(sysfs, "/dm/name")).empty()) return std::optional<MappedRoot>();
  VCD_ASSIGN_OR_RETURN(const std::vector<HostMount> mounts, ReadHostMounts(host));
  const HostMount* seen = nullptr;
  for (const HostMount& mount : mounts) {
    if (mount.mount_point == directory) seen = &mount;
  }
  if (seen == nullptr || seen->device != device || seen->root != "/") return std::optional<MappedRoot>();
  constexpr absl::string_view kDeviceName = "DEVNAME=";
  const std::string uevent = ReadKernelLine(absl::StrCat(sysfs, "/uevent"));
  for (const absl::string_view line : absl::StrSplit(uevent, '\n')) {
    if (!absl::StartsWith(line, kDeviceName)) continue;
    return std::make_optional(MappedRoot{absl::StrCat("/dev/", line.substr(kDeviceName.size())), seen->readonly});
  }
  return std::optional<MappedRoot>();
}

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/qemu_confinement.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr uint64_t kMebibyte = 1 << 20;
// More than disks, sockets and shares of the largest machine.
constexpr rlim_t kMaxDescriptors = 4096;

// Pods are found by the name of their run directory, as all that is theirs.
std::string NameOf(const std::string& run_dir) { return run_dir.substr(run_dir.rfind('/') + 1); }

absl::StatusOr<UniqueFd> SealedCopy(int file, off_t size, const std::string& path) {
  const std::string step = absl::StrCat("copy ", path, " into memory");
  UniqueFd copy(memfd_create("vcd-file", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!copy.valid()) return PosixError(errno, step);
  off_t at = 0;
  while (at < size) {
    const ssize_t sent = sendfile(copy.get(), file, &at, static_cast<size_t>(size - at));
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return PosixError(errno, step);
    if (sent == 0) break;  // It has become shorter.
  }
  if (fcntl(copy.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
    return PosixError(errno, step);
  }
  return copy;
}

}  // namespace

QemuConfinement::QemuConfinement(const ConfinementOptions& options) : options_(options) {
  // Only root may become somebody else.
  if (options_.private_users && geteuid() == 0) {
    uids_.emplace(options_.uids_dir, options_.first_uid, options_.uid_count);
  }
  if (!options_.cgroup.empty()) cgroups_.emplace(options_.cgroup);
}

uint64_t QemuConfinement::MemoryLimit(uint64_t guest_memory_bytes) const {
  return guest_memory_bytes + options_.memory_overhead_mib * kMebibyte;
}

absl::StatusOr<QemuConfinement::Place> QemuConfinement::Take(const std::string& run_dir, uint64_t guest_memory_bytes) {
  Place place;
  if (uids_.has_value()) {
    VCD_ASSIGN_OR_RETURN(place.first_uid, uids_->Take(run_dir));
    // Of a pod that went without giving back what it had.
    VCD_RETURN_IF_ERROR(TakeNodes(place.first_uid + UidBlocks::kVmmUid, ""));
  }
  if (!cgroups_.has_value()) return place;
  const std::string name = NameOf(run_dir);
  VCD_ASSIGN_OR_RETURN(place.joins, cgroups_->Make(name, {MemoryLimit(guest_memory_bytes), options_.pids_limit}));
  if (!place.joins.empty()) place.cgroup = cgroups_->PathOf(name);
  return place;
}

void QemuConfinement::Join(const Place& place, LaunchSpec* launch) {
  for (const UniqueFd& join : place.joins) launch->cgroup_fds.push_back(join.get());
  // A core would be the guest's memory, on the host's disk.
  launch->limits = {{RLIMIT_CORE, 0}, {RLIMIT_NOFILE, kMaxDescriptors}};
  launch->no_new_privileges = true;
  if (place.first_uid == 0) return;
  launch->user_id = place.first_uid + UidBlocks::kVmmUid;
  // Its sockets have names, and taps come as descriptors: it needs no network of its own, unless the pod has one.
  launch->unshare_flags = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
}

absl::StatusOr<std::vector<UniqueFd>> QemuConfinement::JoinCgroup(const std::string& run_dir) const {
  if (!cgroups_.has_value()) return std::vector<UniqueFd>();
  return cgroups_->Join(NameOf(run_dir));
}

absl::Status QemuConfinement::SetGuestMemory(const std::string& run_dir, uint64_t guest_memory_bytes) const {
  if (!cgroups_.has_value()) return absl::OkStatus();
  const absl::Status limited = cgroups_->LimitMemory(NameOf(run_dir), MemoryLimit(guest_memory_bytes));
  // Where its group could not be made, or vcd was to make none, nothing limits it.
  return absl::IsNotFound(limited) ? absl::OkStatus() : limited;
}

absl::Status QemuConfinement::LendVfioGroup(const std::string& run_dir, const std::string& group) {
  if (!uids_.has_value()) return absl::OkStatus();
  VCD_ASSIGN_OR_RETURN(const uint32_t first_uid, uids_->Find(run_dir));
  if (first_uid == 0) return absl::OkStatus();
  const std::string node = absl::StrCat(options_.vfio_dir, "/", group);
  if (lchown(node.c_str(), first_uid + UidBlocks::kVmmUid, static_cast<gid_t>(-1)) == 0) return absl::OkStatus();
  return PosixError(errno, absl::StrCat("let QEMU's user have ", node));
}

absl::Status QemuConfinement::TakeVfioGroup(const std::string& run_dir, const std::string& group) {
  if (!uids_.has_value()) return absl::OkStatus();
  VCD_ASSIGN_OR_RETURN(const uint32_t first_uid, uids_->Find(run_dir));
  return first_uid == 0 ? absl::OkStatus() : TakeNodes(first_uid + UidBlocks::kVmmUid, group);
}

absl::Status QemuConfinement::TakeNodes(uint32_t uid, const std::string& group) const {
  std::error_code error;
  absl::Status status;
  for (std::filesystem::directory_iterator next(options_.vfio_dir, error), end; !error && next != end;
       next.increment(error)) {
    struct stat info;
    const std::string node = next->path();
    if (!group.empty() && next->path().filename() != group) continue;
    if (lstat(node.c_str(), &info) != 0 || info.st_uid != uid) continue;
    // One that is gone by now went with its devices.
    if (lchown(node.c_str(), 0, static_cast<gid_t>(-1)) != 0 && errno != ENOENT) {
      status.Update(PosixError(errno, absl::StrCat("take ", node, " back from QEMU's user")));
    }
  }
  return status;
}

absl::Status QemuConfinement::GiveBack(const std::string& run_dir) {
  absl::Status status;
  if (cgroups_.has_value()) status.Update(cgroups_->Remove(NameOf(run_dir)));
  if (uids_.has_value()) {
    const absl::StatusOr<uint32_t> first_uid = uids_->Find(run_dir);
    status.Update(first_uid.status());
    if (first_uid.ok() && *first_uid != 0) status.Update(TakeNodes(*first_uid + UidBlocks::kVmmUid, ""));
  }
  // Only once nobody is left of these users.
  if (uids_.has_value() && status.ok()) status.Update(uids_->GiveBack(run_dir));
  return status;
}

std::string QemuConfinement::OutOfMemory(const std::string& run_dir) const {
  if (!cgroups_.has_value() || cgroups_->OutOfMemoryKills(NameOf(run_dir)) == 0) return "";
  return absl::StrCat(
      "the host's kernel ended it because its control group ", cgroups_->PathOf(NameOf(run_dir)),
      " had no memory left; raise [confinement] memory_overhead_mib of vcd's configuration, or give the "
      "host more memory");
}

absl::StatusOr<UniqueFd> OpenForQemu(const std::string& path, bool another_user) {
  UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info;
  if (!file.valid() || fstat(file.get(), &info) != 0) return PosixError(errno, absl::StrCat("open ", path));
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("open ", path, ": not a regular file"));
  }
  if (!another_user || (info.st_mode & S_IROTH) != 0) return file;
  return SealedCopy(file.get(), info.st_size, path);
}

absl::StatusOr<std::vector<gid_t>> GroupsForKvm(const std::string& device) {
  struct stat info;
  if (stat(device.c_str(), &info) != 0) return PosixError(errno, absl::StrCat("look at ", device));
  if ((info.st_mode & (S_IROTH | S_IWOTH)) == (S_IROTH | S_IWOTH)) return std::vector<gid_t>();
  if (info.st_gid != 0 && (info.st_mode & (S_IRGRP | S_IWGRP)) == (S_IRGRP | S_IWGRP)) {
    return std::vector<gid_t>{info.st_gid};
  }
  return absl::FailedPreconditionError(
      absl::StrCat(device, " is root's alone, and QEMU runs as another user; give it to a group (chgrp kvm ", device,
                   "; chmod 0660 ", device, "), or set [confinement] user = \"root\" in vcd's configuration"));
}

}  // namespace vcd

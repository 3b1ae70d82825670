// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/os/filesystem.h"
#include "daemon/check/checks.h"
#include "daemon/check/kernel_files.h"

namespace vcd {
namespace {

constexpr uint64_t kFullBytes = 16 << 20;
constexpr uint64_t kLowBytes = 64 << 20;
constexpr uint64_t kFewInodes = 1000;

constexpr uint64_t kFewDescriptors = 16384;
constexpr uint64_t kFewProcesses = 4096;
constexpr uint64_t kFewPids = 32768;
constexpr uint64_t kFewThreads = 4096;

bool IsRemote(const std::string& type) {
  for (const char* remote :
       {"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "afs", "lustre", "gfs2", "ocfs2", "virtiofs"}) {
    if (type == remote) return true;
  }
  return absl::StartsWith(type, "fuse");
}

bool IsBelow(const std::string& path, const std::string& directory) {
  return directory == "/" || path == directory || absl::StartsWith(path, absl::StrCat(directory, "/"));
}

// The type of the file system that holds a path, told without touching it: one whose server is gone would hold us.
std::string FilesystemType(const Host& host, const std::string& path) {
  MountedFilesystem best;
  for (MountedFilesystem& mount : Mounts(host)) {
    // The later of two mounts on one point covers the earlier.
    if (IsBelow(path, mount.mount_point) && mount.mount_point.size() >= best.mount_point.size())
      best = std::move(mount);
  }
  return best.type;
}

// The deepest directory of the path that is there: vcd makes what is missing.
std::string NearestThere(const Host& host, std::string path) {
  while (path != "/" && absl::IsNotFound(host.Stat(path).status())) path = ParentDirectory(path);
  return path;
}

// True when nothing stands in the way.
bool CheckDirectory(const CheckSubject& subject, const std::string& directory, Findings& findings) {
  const Host& host = subject.host;
  const std::string type = FilesystemType(host, directory);
  if (IsRemote(type)) {
    findings.Bad(Fault::kDirectoryNetwork, absl::StrCat(directory, " is on ", type));
    return false;
  }
  const std::string there = NearestThere(host, directory);
  const absl::StatusOr<struct stat> info = host.Stat(there);
  if (info.ok() && !S_ISDIR(info->st_mode)) {
    findings.Bad(Fault::kDirectoryIsNone, absl::StrCat(there, " is no directory"));
    return false;
  }
  const absl::StatusOr<FilesystemSpace> space = host.Space(there);
  const std::string detail =
      space.ok() ? absl::StrCat(directory, " has ", space->free_bytes >> 20, " MiB free") : directory;
  if (space.ok() && space->readonly) {
    findings.Bad(Fault::kDirectoryReadOnly, directory);
  } else if (!host.Access(there, W_OK | X_OK).ok()) {
    findings.Bad(Fault::kDirectoryDenied, there);
  } else if (space.ok() && space->free_bytes < kFullBytes) {
    findings.Bad(Fault::kDirectoryFull, detail);
  } else if (space.ok() && space->inodes != 0 && space->free_inodes < kFewInodes) {
    findings.Bad(Fault::kDirectoryInodes, absl::StrCat(directory, " has ", space->free_inodes, " free"));
  } else if (space.ok() && space->free_bytes < kLowBytes) {
    findings.Bad(Fault::kDirectoryLow, detail);
  } else {
    return true;
  }
  return false;
}

}  // namespace

void CheckMemory(const CheckSubject& subject, Findings& findings) {
  const uint64_t needed_kib = uint64_t{subject.config.qemu().default_memory_mib()} << 10;
  const uint64_t available = MemoryInfo(subject.host, "MemAvailable").value_or(needed_kib);
  const std::string detail = absl::StrCat(available >> 10, " MiB available, a pod has ", needed_kib >> 10);
  if (available < needed_kib) return findings.Bad(Fault::kMemoryShort, detail);
  if (KernelNumber(subject.host, "/proc/sys/vm/overcommit_memory") == 2) {
    const uint64_t limit = MemoryInfo(subject.host, "CommitLimit").value_or(0);
    const uint64_t promised = MemoryInfo(subject.host, "Committed_AS").value_or(0);
    if (promised + needed_kib > limit) {
      return findings.Bad(Fault::kOvercommit, absl::StrCat(promised >> 10, " of ", limit >> 10, " MiB are promised"));
    }
  }
  findings.Good("memory", detail);
}

void CheckHugePages(const CheckSubject& subject, Findings& findings) {
  const uint64_t pages = MemoryInfo(subject.host, "HugePages_Total").value_or(0);
  if (pages == 0) return findings.Bad(Fault::kNoHugePages, "");
  findings.Good("huge_pages",
                absl::StrCat(MemoryInfo(subject.host, "HugePages_Free").value_or(0), " of ", pages, " free"));
}

void CheckDirectories(const CheckSubject& subject, Findings& findings) {
  const bool state = CheckDirectory(subject, subject.config.state_dir(), findings);
  const bool run = CheckDirectory(subject, subject.config.run_dir(), findings);
  if (state && run) {
    findings.Good("directories", absl::StrCat(subject.config.state_dir(), " and ", subject.config.run_dir()));
  }
}

void CheckLimits(const CheckSubject& subject, Findings& findings) {
  const size_t before = findings.results().size();
  const Host& host = subject.host;
  const uint64_t descriptors = host.Limit(RLIMIT_NOFILE).hard;
  if (descriptors < kFewDescriptors) findings.Bad(Fault::kFewDescriptors, absl::StrCat("at most ", descriptors));
  // Root's own processes are not counted against it.
  const uint64_t processes = host.Limit(RLIMIT_NPROC).hard;
  if (host.user_id() != 0 && processes < kFewProcesses) {
    findings.Bad(Fault::kFewProcesses, absl::StrCat("at most ", processes));
  }
  const uint64_t pids = KernelNumber(host, "/proc/sys/kernel/pid_max").value_or(kFewPids);
  if (pids < kFewPids) findings.Bad(Fault::kFewPids, absl::StrCat("kernel.pid_max is ", pids));
  const uint64_t threads = KernelNumber(host, "/proc/sys/kernel/threads-max").value_or(kFewThreads);
  if (threads < kFewThreads) findings.Bad(Fault::kFewThreads, absl::StrCat("kernel.threads-max is ", threads));
  if (findings.results().size() == before) {
    findings.Good("limits", absl::StrCat("pids up to ", pids, ", ", threads, " threads"));
  }
}

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "daemon/check/posix_host.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "backends/hypervisor/qemu/kvm_probe.h"
#include "core/os/program_run.h"
#include "core/os/unique_fd.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// More than any list of devices; a program that says more is not what it should be.
constexpr size_t kMaxOutputBytes = 1 << 20;
constexpr size_t kMaxWordsBytes = 300;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

std::string Words(std::string text) {
  if (text.size() > kMaxWordsBytes) text.resize(kMaxWordsBytes);
  return absl::StrReplaceAll(absl::StripSuffix(text, "\n"), {{"\n", "; "}});
}

}  // namespace

absl::StatusOr<struct stat> PosixHost::Stat(const std::string& path) const {
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0) return PosixError(errno, path);
  return info;
}

absl::Status PosixHost::Access(const std::string& path, int mode) const {
  if (::faccessat(AT_FDCWD, path.c_str(), mode, AT_EACCESS) != 0) return PosixError(errno, path);
  return absl::OkStatus();
}

absl::StatusOr<std::string> PosixHost::Read(const std::string& path, uint64_t offset, size_t max_bytes) const {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid()) return PosixError(errno, path);
  // In pieces: files of /proc/sys refuse to be read by as much as the kernel can allocate at once, 4 MiB.
  std::vector<char> piece(64 << 10);
  std::string content;
  while (content.size() < max_bytes) {
    const ssize_t size = ::pread(fd.get(), piece.data(), std::min(piece.size(), max_bytes - content.size()),
                                 static_cast<off_t>(offset + content.size()));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return PosixError(errno, absl::StrCat("read ", path));
    if (size == 0) break;
    content.append(piece.data(), static_cast<size_t>(size));
  }
  return content;
}

absl::StatusOr<std::vector<std::string>> PosixHost::List(const std::string& path) const {
  const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(path.c_str()));
  if (directory == nullptr) return PosixError(errno, path);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  return names;
}

absl::StatusOr<FilesystemSpace> PosixHost::Space(const std::string& path) const {
  struct statvfs info = {};
  if (::statvfs(path.c_str(), &info) != 0) return PosixError(errno, path);
  FilesystemSpace space;
  space.free_bytes = uint64_t{info.f_bavail} * info.f_frsize;
  space.inodes = info.f_files;
  space.free_inodes = info.f_favail;
  space.readonly = (info.f_flag & ST_RDONLY) != 0;
  return space;
}

absl::StatusOr<std::string> PosixHost::Run(const std::vector<std::string>& argv, absl::Time deadline) const {
  ProgramRun run;
  run.launch.argv = argv;
  run.launch.env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};
  run.max_output_bytes = kMaxOutputBytes;
  run.join_errors = true;
  VCD_ASSIGN_OR_RETURN(ProgramEnd end, RunProgram(run, {deadline, nullptr}));
  if (end.success()) return std::move(end.output);
  return absl::FailedPreconditionError(absl::StrCat(argv[0], " ", end.Description(), ": ", Words(end.output)));
}

bool PosixHost::HasSystemCall(int64_t number) const {
  return ::syscall(static_cast<long>(number), -1L, 0L, 0L, 0L, 0L, 0L) >= 0 || errno != ENOSYS;
}

ProcessLimit PosixHost::Limit(int resource) const {
  rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
  ::getrlimit(static_cast<__rlimit_resource>(resource), &limit);
  return {limit.rlim_cur, limit.rlim_max};
}

bool PosixHost::HasGroup(const std::string& name) const {
  group entry = {};
  group* found = nullptr;
  std::vector<char> buffer(1 << 16);
  return ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr;
}

uid_t PosixHost::user_id() const { return ::geteuid(); }

absl::Time PosixHost::Now() const { return absl::Now(); }

absl::Status PosixHost::TryKvm() const { return ProbeKvm(KvmPaths()); }

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/virtiofsd_process.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "core/os/process.h"
#include "core/os/run_file.h"
#include "core/os/unix_socket.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr int kChildListeningFd = 3;
constexpr char kSocketName[] = "virtiofsd";

// Where it finds its root. A directory that every host has and every user can reach; in the mount namespace of its own
// it needs nothing of what is there.
constexpr char kRootDirectory[] = "/run";

// It has a descriptor for every file that the guest's kernel knows, and so this bounds what a guest can make the host's
// kernel keep in memory.
constexpr rlim_t kMaxOpenFiles = 262144;

constexpr size_t kLogBytes = 1024;

// libfuse's option syntax separates by commas and takes the character after a backslash for itself.
std::string Escaped(const std::string& value) { return absl::StrReplaceAll(value, {{"\\", "\\\\"}, {",", "\\,"}}); }

// A user of the pod's own may not raise its hard limit.
rlim_t OpenFilesLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return kMaxOpenFiles;
  return std::min(limit.rlim_max, kMaxOpenFiles);
}

// A file in memory that takes so many bytes and no more.
absl::StatusOr<UniqueFd> MakeLog() {
  UniqueFd log(memfd_create("virtiofsd", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!log.valid() || ftruncate(log.get(), kLogBytes) != 0 ||
      fcntl(log.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
    return PosixError(errno, "make a log for virtiofsd");
  }
  return log;
}

// The process that virtiofsd forks into its own pid namespace dies with its parent, a moment later.
absl::Status EndLeftovers(IoThread& io, const std::string& marker) {
  for (const ProcessIdentity& identity : FindProcesses(marker)) {
    absl::StatusOr<std::unique_ptr<SupervisedProcess>> process = SupervisedProcess::Adopt(io, identity);
    if (process.ok()) VCD_RETURN_IF_ERROR((*process)->Terminate(absl::Seconds(1)));
  }
  return absl::OkStatus();
}

}  // namespace

// Those of an earlier release, one for each directory, have it as well.
std::string VirtiofsdMarker(const std::string& run_dir) { return absl::StrCat("source=", Escaped(run_dir), "/share"); }

std::string VirtiofsdSocketPath(const std::string& run_dir) { return absl::StrCat(run_dir, "/", kSocketName); }

std::vector<std::string> VirtiofsdCommandLine(const VirtiofsdSpec& spec, int listening_fd) {
  return {
      spec.program,
      absl::StrCat("--fd=", listening_fd),
      // As it is: LaunchSpec::limits.
      "--rlimit-nofile=0",
      // virtiofsd has no option that could carry a name; of two sources the last one counts.
      "-o",
      absl::StrCat(VirtiofsdMarker(spec.run_dir), "s"),
      "-o",
      absl::StrCat("source=", kRootDirectory),
      "-o",
      "cache=auto",
      "-o",
      "xattr",
      "-o",
      "sandbox=namespace",
      // Shares of several file systems of the host, where inode numbers repeat, are several file systems for the guest.
      "-o",
      "announce_submounts",
      "-o",
      "log_level=err",
  };
}

absl::StatusOr<StartedVirtiofsd> StartVirtiofsd(IoThread& io, const VirtiofsdSpec& spec) {
  VCD_ASSIGN_OR_RETURN(UniqueFd log, MakeLog());
  // The socket has a name only until the one connection to it is made.
  VCD_ASSIGN_OR_RETURN(UniqueFd listener, ListenUnix(spec.run_dir, kSocketName, /*backlog=*/1));
  absl::StatusOr<UniqueFd> connection = ConnectUnix(spec.run_dir, kSocketName);
  VCD_RETURN_IF_ERROR(RemoveFile(VirtiofsdSocketPath(spec.run_dir)));
  VCD_RETURN_IF_ERROR(connection.status());

  LaunchSpec launch;
  launch.argv = VirtiofsdCommandLine(spec, kChildListeningFd);
  launch.env = {"PATH=/usr/bin:/bin", "LC_ALL=C"};
  launch.descriptors = {{listener.get(), kChildListeningFd}};
  launch.limits = {{RLIMIT_NOFILE, OpenFilesLimit()}};
  launch.stdout_fd = log.get();
  launch.stderr_fd = log.get();
  launch.cgroup_fds = spec.cgroup_fds;
  if (spec.user_namespace >= 0) {
    launch.namespace_fds = {spec.user_namespace};
    launch.user_id = 0;
  }
  launch.unshare_flags = CLONE_NEWNS;
  launch.mounts = {{spec.root, kRootDirectory}};
  launch.no_new_privileges = true;
  VCD_ASSIGN_OR_RETURN(LaunchedProcess launched, LaunchProcess(launch));
  return StartedVirtiofsd{SupervisedProcess::Watch(io, std::move(launched)), *std::move(connection), std::move(log)};
}

std::string VirtiofsdWords(const UniqueFd& log) {
  return ReadLogTail(absl::StrCat("/proc/self/fd/", log.get()), kLogBytes);
}

absl::Status EndVirtiofsd(IoThread& io, SupervisedProcess* process, const std::string& run_dir,
                          absl::Duration patience) {
  absl::Status ended = absl::OkStatus();
  if (process != nullptr && !process->WaitExit({absl::Now() + patience, nullptr}).ok()) {
    ended = process->Terminate(absl::Seconds(1));
  }
  ended.Update(EndLeftovers(io, VirtiofsdMarker(run_dir)));
  return ended;
}

}  // namespace vcd

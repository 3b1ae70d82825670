// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/civil_time.h"
#include "daemon/check/checks.h"
#include "daemon/check/kernel_files.h"

namespace vcd {
namespace {

constexpr char kCgroupRoot[] = "/sys/fs/cgroup";
const char* const kControllers[] = {"cpu", "memory", "pids"};

// CLOSE_RANGE_CLOEXEC.
constexpr int kLeastKernel[] = {5, 11};

struct NamedCall {
  const char* name;
  int64_t number;
};
constexpr NamedCall kNeededCalls[] = {
    {"pidfd_open", SYS_pidfd_open}, {"pidfd_send_signal", SYS_pidfd_send_signal}, {"close_range", SYS_close_range}};
constexpr NamedCall kMountCalls[] = {{"openat2", SYS_openat2},
                                     {"open_tree", SYS_open_tree},
                                     {"mount_setattr", 442}};  // Newer than these headers may be.

template <size_t N>
std::string MissingCalls(const Host& host, const NamedCall (&calls)[N]) {
  std::vector<std::string> missing;
  for (const NamedCall& call : calls) {
    if (!host.HasSystemCall(call.number)) missing.push_back(call.name);
  }
  return absl::StrJoin(missing, ", ");
}

// What limits can be set with: of version 2 at the root, or of version 1 by their mounts.
struct ControllerList {
  bool mounted = false;
  bool readonly = false;
  const char* version = "";
  std::vector<std::string> missing;
};

ControllerList FindControllers(const Host& host) {
  ControllerList found;
  const std::string unified = KernelText(host, absl::StrCat(kCgroupRoot, "/cgroup.controllers"));
  std::string names = absl::StrCat(" ", unified, " ");
  for (const MountedFilesystem& mount : Mounts(host)) {
    const bool second = mount.type == "cgroup2" && mount.mount_point == kCgroupRoot;
    if (!second && mount.type != "cgroup") continue;
    found.mounted = true;
    found.version = second ? "version 2" : "version 1";
    for (const char* name : kControllers) {
      if (second || !HasOption(mount.super_options, name)) continue;
      absl::StrAppend(&names, name, " ");
      if (HasOption(mount.options, "ro")) found.readonly = true;
    }
    if (second && HasOption(mount.options, "ro")) found.readonly = true;
  }
  for (const char* name : kControllers) {
    if (!absl::StrContains(names, absl::StrCat(" ", name, " "))) found.missing.push_back(name);
  }
  return found;
}

}  // namespace

void CheckCgroups(const CheckSubject& subject, Findings& findings) {
  if (subject.config.confinement().cgroup() == "none") return findings.Good("cgroups", "not wanted");
  const ControllerList found = FindControllers(subject.host);
  if (!found.mounted) return findings.Bad(Fault::kNoCgroups, "");
  if (found.readonly) return findings.Bad(Fault::kCgroupReadOnly, found.version);
  if (!found.missing.empty()) return findings.Bad(Fault::kCgroupControllers, absl::StrJoin(found.missing, ", "));
  findings.Good("cgroups", absl::StrCat(found.version, " with cpu, memory, pids"));
}

void CheckHostKernel(const CheckSubject& subject, Findings& findings) {
  const std::string release = KernelText(subject.host, "/proc/sys/kernel/osrelease");
  int major = 0;
  int minor = 0;
  const bool known = std::sscanf(release.c_str(), "%d.%d", &major, &minor) == 2;
  if (known && std::make_pair(major, minor) < std::make_pair(kLeastKernel[0], kLeastKernel[1])) {
    return findings.Bad(Fault::kHostKernelOld, absl::StrCat("Linux ", release));
  }
  findings.Good("host_kernel", known ? absl::StrCat("Linux ", release) : "of unknown version");
}

void CheckSystemCalls(const CheckSubject& subject, Findings& findings) {
  const std::string needed = MissingCalls(subject.host, kNeededCalls);
  if (!needed.empty()) return findings.Bad(Fault::kSystemCalls, needed);
  const std::string mounts = MissingCalls(subject.host, kMountCalls);
  if (!mounts.empty()) return findings.Bad(Fault::kMountCalls, mounts);
  findings.Good("system_calls", "all that are needed");
}

void CheckSeccomp(const CheckSubject& subject, Findings& findings) {
  const std::string actions = KernelText(subject.host, "/proc/sys/kernel/seccomp/actions_avail");
  if (actions.empty()) return findings.Bad(Fault::kNoSeccomp, "");
  findings.Good("seccomp", actions);
}

void CheckUserNamespaces(const CheckSubject& subject, Findings& findings) {
  const Host& host = subject.host;
  if (!host.Stat("/proc/self/ns/user").ok()) return findings.Bad(Fault::kNoUserNamespaces, "the kernel has none");
  if (KernelNumber(host, "/proc/sys/user/max_user_namespaces") == 0) {
    return findings.Bad(Fault::kNoUserNamespaces, "user.max_user_namespaces is 0");
  }
  if (host.user_id() != 0 && KernelNumber(host, "/proc/sys/kernel/unprivileged_userns_clone") == 0) {
    return findings.Bad(Fault::kNoUserNamespaces, "kernel.unprivileged_userns_clone is 0");
  }
  findings.Good("user_namespaces", "allowed");
}

void CheckCoreDumps(const CheckSubject& subject, Findings& findings) {
  if (subject.host.Limit(RLIMIT_CORE).soft == 0) return findings.Good("core_dumps", "none are written");
  const std::string pattern = KernelText(subject.host, "/proc/sys/kernel/core_pattern");
  findings.Bad(absl::StartsWith(pattern, "|") ? Fault::kCorePipe : Fault::kCoreFiles, pattern);
}

void CheckClock(const CheckSubject& subject, Findings& findings) {
  const absl::Time now = subject.host.Now();
  const std::string text = absl::FormatTime(now, absl::UTCTimeZone());
  if (now < absl::FromCivil(absl::CivilDay(2024, 1, 1), absl::UTCTimeZone())) {
    return findings.Bad(Fault::kClockEarly, text);
  }
  const absl::StatusOr<struct stat> state = subject.host.Stat(subject.config.state_dir());
  // A day: file servers and containers have clocks of their own.
  if (state.ok() && absl::FromTimeT(state->st_mtim.tv_sec) > now + absl::Hours(24)) {
    return findings.Bad(Fault::kClockBack,
                        absl::StrCat(text, ", and ", subject.config.state_dir(), " is of ",
                                     absl::FormatTime(absl::FromTimeT(state->st_mtim.tv_sec), absl::UTCTimeZone())));
  }
  findings.Good("clock", text);
}

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "core/confinement/host_cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/confinement/cgroup_removal.h"
#include "core/log/logger.h"
#include "core/os/proc_file.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr char kMemory[] = "memory";
constexpr char kPids[] = "pids";

// For processes that end.
constexpr absl::Duration kEndingTime = absl::Seconds(2);

bool Has(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

absl::StatusOr<UniqueFd> OpenToWrite(const std::string& path) {
  UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.valid()) return PosixError(errno, absl::StrCat("open ", path));
  return file;
}

absl::Status WriteControl(const std::string& path, const std::string& value) {
  VCD_ASSIGN_OR_RETURN(const UniqueFd file, OpenToWrite(path));
  // One write: the kernel takes each for a value of its own.
  if (write(file.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size())) {
    return PosixError(errno, absl::StrCat("write ", value, " to ", path));
  }
  return absl::OkStatus();
}

absl::Status MakeDirectory(const std::string& path) {
  if (mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return absl::OkStatus();
  return PosixError(errno, absl::StrCat("make the control group ", path));
}

std::vector<std::string> WordsIn(const std::string& path) {
  std::string text;
  if (!ReadProcFile(path, &text)) return {};
  return absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty());
}

// The number after `key ` at the beginning of a line.
uint64_t CounterIn(const std::string& path, const std::string& key) {
  std::string text;
  uint64_t value = 0;
  if (!ReadProcFile(path, &text)) return 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::ConsumePrefix(&line, key) && absl::ConsumePrefix(&line, " ") && absl::SimpleAtoi(line, &value)) {
      return value;
    }
  }
  return 0;
}

}  // namespace

HostCgroups::HostCgroups(std::string parent, const std::string& mounts_file) : parent_(std::move(parent)) {
  std::vector<Hierarchy> found;
  std::string mounts;
  (void)ReadProcFile(mounts_file, &mounts);
  for (const absl::string_view line : absl::StrSplit(mounts, '\n')) {
    const std::vector<std::string> fields = absl::StrSplit(line, ' ');
    if (fields.size() < 4 || (fields[2] != "cgroup" && fields[2] != "cgroup2")) continue;
    Hierarchy hierarchy{fields[1], fields[2] == "cgroup2", absl::StrSplit(fields[3], ',')};
    if (hierarchy.unified) hierarchy.controllers = WordsIn(hierarchy.mount_point + "/cgroup.controllers");
    found.push_back(std::move(hierarchy));
  }
  // A controller is in one hierarchy only; that of version 2 is asked first, for mount options have other words too.
  std::stable_sort(found.begin(), found.end(),
                   [](const Hierarchy& a, const Hierarchy& b) { return a.unified && !b.unified; });
  for (const std::string controller : {kMemory, kPids}) {
    const auto holder = std::find_if(
        found.begin(), found.end(), [&](const Hierarchy& hierarchy) { return Has(hierarchy.controllers, controller); });
    if (holder == found.end()) {
      missing_.push_back(controller);
      continue;
    }
    const auto known = std::find_if(hierarchies_.begin(), hierarchies_.end(), [&](const Hierarchy& hierarchy) {
      return hierarchy.mount_point == holder->mount_point;
    });
    if (known == hierarchies_.end()) hierarchies_.push_back(*holder);
  }
}

std::string HostCgroups::PathOf(const std::string& name) const {
  // The prefix keeps names of pods and of the kernel's files apart.
  return absl::StrCat(parent_, "/pod-", name);
}

std::string HostCgroups::Directory(const Hierarchy& hierarchy, const std::string& name) const {
  return hierarchy.mount_point + PathOf(name);
}

const HostCgroups::Hierarchy* HostCgroups::Of(const std::string& controller) const {
  for (const Hierarchy& hierarchy : hierarchies_) {
    if (Has(hierarchy.controllers, controller)) return &hierarchy;
  }
  return nullptr;
}

absl::Status HostCgroups::MakeParent(const Hierarchy& hierarchy) const {
  // In version 2 children get the controllers that their parent hands on.
  const auto hand_on = [&hierarchy](const std::string& directory) -> absl::Status {
    if (!hierarchy.unified) return absl::OkStatus();
    for (const char* controller : {kMemory, kPids}) {
      if (!Has(hierarchy.controllers, controller)) continue;
      VCD_RETURN_IF_ERROR(WriteControl(directory + "/cgroup.subtree_control", absl::StrCat("+", controller)));
    }
    return absl::OkStatus();
  };
  std::string directory = hierarchy.mount_point;
  for (const absl::string_view part : absl::StrSplit(parent_, '/', absl::SkipEmpty())) {
    VCD_RETURN_IF_ERROR(hand_on(directory));
    absl::StrAppend(&directory, "/", part);
    VCD_RETURN_IF_ERROR(MakeDirectory(directory));
  }
  return hand_on(directory);
}

absl::Status HostCgroups::Limit(const Hierarchy& hierarchy, const std::string& directory,
                                const HostLimits& limits) const {
  if (Has(hierarchy.controllers, kMemory)) {
    VCD_RETURN_IF_ERROR(WriteControl(directory + (hierarchy.unified ? "/memory.max" : "/memory.limit_in_bytes"),
                                     absl::StrCat(limits.memory_bytes)));
  }
  if (!Has(hierarchy.controllers, kPids)) return absl::OkStatus();
  return WriteControl(directory + "/pids.max", absl::StrCat(limits.pids));
}

void HostCgroups::TellOnce(const std::string& what) {
  MutexLock lock(&mu_);
  if (told_.insert(what).second) LogWarning("", what);
}

absl::StatusOr<std::vector<UniqueFd>> HostCgroups::Make(const std::string& name, const HostLimits& limits) {
  for (const std::string& controller : missing_) {
    TellOnce(absl::StrCat("the host has no control groups for ", controller, ": that of pods is not limited"));
  }
  std::vector<UniqueFd> joins;
  for (const Hierarchy& hierarchy : hierarchies_) {
    const std::string directory = Directory(hierarchy, name);
    const absl::Status prepared = MakeParent(hierarchy);
    if (!prepared.ok()) {
      TellOnce(absl::StrCat("pods have no control group in ", hierarchy.mount_point, ": ", prepared.message()));
      continue;
    }
    VCD_RETURN_IF_ERROR(MakeDirectory(directory));
    const std::vector<std::string> others = CgroupProcesses(directory);
    if (!others.empty()) {
      return absl::FailedPreconditionError(absl::StrCat("control group ", directory,
                                                        " holds processes that are not this pod's (", others.front(),
                                                        "): another vcd's? give each its own [confinement] cgroup"));
    }
    VCD_RETURN_IF_ERROR(Limit(hierarchy, directory, limits));
    VCD_ASSIGN_OR_RETURN(UniqueFd join, OpenToWrite(directory + "/cgroup.procs"));
    joins.push_back(std::move(join));
  }
  return joins;
}

absl::StatusOr<std::vector<UniqueFd>> HostCgroups::Join(const std::string& name) const {
  std::vector<UniqueFd> joins;
  for (const Hierarchy& hierarchy : hierarchies_) {
    absl::StatusOr<UniqueFd> join = OpenToWrite(Directory(hierarchy, name) + "/cgroup.procs");
    if (absl::IsNotFound(join.status())) continue;
    VCD_RETURN_IF_ERROR(join.status());
    joins.push_back(*std::move(join));
  }
  return joins;
}

absl::Status HostCgroups::LimitMemory(const std::string& name, uint64_t bytes) const {
  const Hierarchy* hierarchy = Of(kMemory);
  if (hierarchy == nullptr) return absl::OkStatus();
  return WriteControl(Directory(*hierarchy, name) + (hierarchy->unified ? "/memory.max" : "/memory.limit_in_bytes"),
                      absl::StrCat(bytes));
}

absl::Status HostCgroups::Remove(const std::string& name) const {
  absl::Status first_error;
  const absl::Time patience = absl::Now() + kEndingTime;
  for (const Hierarchy& hierarchy : hierarchies_) {
    first_error.Update(RemoveCgroup(Directory(hierarchy, name), hierarchy.unified, patience));
  }
  return first_error;
}

uint64_t HostCgroups::OutOfMemoryKills(const std::string& name) const {
  const Hierarchy* hierarchy = Of(kMemory);
  if (hierarchy == nullptr) return 0;
  return CounterIn(Directory(*hierarchy, name) + (hierarchy->unified ? "/memory.events" : "/memory.oom_control"),
                   "oom_kill");
}

}  // namespace vcd

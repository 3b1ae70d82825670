// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_CONFINEMENT_HOST_CGROUP_H_
#define VCD_CORE_CONFINEMENT_HOST_CGROUP_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/os/mutex.h"
#include "core/os/unique_fd.h"

namespace vcd {

// What the processes of a pod may have of the host together.
struct HostLimits {
  uint64_t memory_bytes = 0;
  uint32_t pids = 0;
};

// Control groups of the host for pods: one each, `<parent>/pod-<name>`, in every hierarchy that is wanted: that of
// version 2 for a controller that it has, else the one of version 1. A controller that there is nowhere, and a
// hierarchy that cannot be written, is told once in the log, and is no error. Thread-safe; nothing of a group is kept
// in memory, so that it is found again by its name.
class HostCgroups {
 public:
  // Looks at what is mounted; `parent` is a path below the mount points such as `/vcd`. It is made when the first group
  // is.
  HostCgroups(std::string parent, const std::string& mounts_file = "/proc/self/mounts");

  // Of `memory` and `pids`, those that the host has nowhere.
  const std::vector<std::string>& missing() const { return missing_; }

  // The group of that name, below the mount points.
  std::string PathOf(const std::string& name) const;

  // Makes the group, or takes the one that a crashed daemon left, and limits it. Returns the files by which a process
  // joins (LaunchSpec::cgroup_fds); none when the host has no hierarchy. kFailedPrecondition when processes are in it.
  absl::StatusOr<std::vector<UniqueFd>> Make(const std::string& name, const HostLimits& limits);

  // The files by which one more process joins the group, wherever there is one.
  absl::StatusOr<std::vector<UniqueFd>> Join(const std::string& name) const;

  // Changes its memory. kNotFound when there is no such group.
  absl::Status LimitMemory(const std::string& name, uint64_t bytes) const;

  // Removes it; OK when there is none. Waits a moment for processes that are ending; what still runs in it is named in
  // the error, and not ended.
  absl::Status Remove(const std::string& name) const;

  // How many of its processes the host's kernel ended for want of memory; 0 when that cannot be told.
  uint64_t OutOfMemoryKills(const std::string& name) const;

 private:
  struct Hierarchy {
    std::string mount_point;
    bool unified = false;  // Of version 2.
    std::vector<std::string> controllers;
  };
  std::string Directory(const Hierarchy& hierarchy, const std::string& name) const;
  // The hierarchy of a controller; null when it is missing.
  const Hierarchy* Of(const std::string& controller) const;
  absl::Status MakeParent(const Hierarchy& hierarchy) const;
  absl::Status Limit(const Hierarchy& hierarchy, const std::string& directory, const HostLimits& limits) const;
  void TellOnce(const std::string& what) ABSL_LOCKS_EXCLUDED(mu_);

  const std::string parent_;
  std::vector<Hierarchy> hierarchies_;
  std::vector<std::string> missing_;

  Mutex mu_;
  std::set<std::string> told_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_CORE_CONFINEMENT_HOST_CGROUP_H_

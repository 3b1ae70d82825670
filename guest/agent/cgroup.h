// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_CGROUP_H_
#define VCD_GUEST_AGENT_CGROUP_H_

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "core/os/unique_fd.h"
#include "guest/agent/outcome.h"

namespace vcd::guest {

// Where the unified (version 2) control group hierarchy is mounted; empty if it is not.
std::string FindCgroupMount();

// One directory of the hierarchy, with all processes of one container. The destructor removes the directory if it is
// empty by then.
class Cgroup {
 public:
  // An empty one, for machines without the hierarchy: holds no process and does nothing.
  Cgroup() = default;

  // Makes the directory `path` and hands every controller that the parent has down to it.
  static OutcomeOr<Cgroup> Create(const std::string& path);

  ~Cgroup() { Remove(); }
  Cgroup(Cgroup&& other) noexcept : path_(std::move(other.path_)), fd_(std::move(other.fd_)) { other.path_.clear(); }
  Cgroup& operator=(Cgroup&& other) noexcept;

  bool valid() const { return fd_.valid(); }

  const std::string& path() const { return path_; }

  // The processes in it.
  std::vector<pid_t> Pids() const;

  // For CLONE_INTO_CGROUP.
  int fd() const { return fd_.get(); }

  // Sends `signal` to every process in it. SIGKILL misses none, even of those being forked right now.
  Outcome Signal(int signal) const;

  // Whether it holds no process.
  bool IsEmpty() const;

  // Removes the directory. True when it is gone; false while it holds processes.
  bool Remove();

 private:
  std::string path_;
  UniqueFd fd_;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_CGROUP_H_

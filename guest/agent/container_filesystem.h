// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_CONTAINER_FILESYSTEM_H_
#define VCD_GUEST_AGENT_CONTAINER_FILESYSTEM_H_

#include <optional>
#include <string>

#include "guest/agent/mount_objects.h"
#include "guest/agent/outcome.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd::guest {

// How a container's root directory comes about.
struct RootPlan {
  std::string base;  // A directory in the agent's file system.
  // A disk that is mounted on `base` first, where only this container sees it.
  std::optional<FilesystemRequest> disk = std::nullopt;
  bool overlay = false;   // Changes go to memory and leave `base` as it is; otherwise they go to `base`.
  bool readonly = false;  // The container may change nothing.
  std::string scratch;    // An empty directory, shared by all containers: each mounts on it in its own namespace only.
};

// Makes the calling process, which is alone in new mount, pid, ipc and cgroup namespaces, see the container's file
// system and nothing else: root, /proc, /sys, /dev, and what `settings` adds to them. Makes `work_dir`, if it is not
// empty, in a root that is read-only afterwards. Everything mounted here goes away with the namespace. Leaves the umask
// at 0. After a failure the process is fit for nothing but _exit.
Outcome EnterContainerFilesystem(const RootPlan& plan, const ::vcd::agent::v1::LinuxSettings& settings,
                                 const std::string& work_dir);

// Makes the mount at `root` the root of the calling process's mount namespace and lets go of the one before.
Outcome PivotRoot(const std::string& root);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_CONTAINER_FILESYSTEM_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_CONTAINER_MOUNTS_H_
#define VCD_GUEST_AGENT_CONTAINER_MOUNTS_H_

#include <vector>

#include "core/os/unique_fd.h"
#include "guest/agent/outcome.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd::guest {

// What a container has mounted beside the standard file systems. Disks and shared files are the machine's: they are
// opened while the machine is still to be seen, and put in their places by descriptor once the container's root is all
// there is, so that nothing in that root can lead them anywhere else.
class ContainerMounts {
 public:
  // Opens what the mounts of `settings` have of the machine. `source` is where: the device of a disk, or the directory
  // or file of a share.
  static OutcomeOr<ContainerMounts> Open(const ::vcd::agent::v1::LinuxSettings& settings);

  // Mounts all, in their order; `settings` are the same. Places that are missing are made. The calling process sees the
  // container's file system and nothing else.
  Outcome Attach(const ::vcd::agent::v1::LinuxSettings& settings) const;

 private:
  std::vector<UniqueFd> opened_;  // One for each mount; not valid for one that the container's kernel makes alone.
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_CONTAINER_MOUNTS_H_

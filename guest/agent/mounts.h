// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_MOUNTS_H_
#define VCD_GUEST_AGENT_MOUNTS_H_

#include <string>

#include "guest/agent/outcome.h"

namespace vcd::guest {

struct MountRequest {
  std::string source;
  std::string target;
  std::string fs_type;
  unsigned long flags = 0;  // MS_… of mount(2).
  std::string options;
};

// mount(2), with a sentence that names the type, the source and the target when it fails.
Outcome Mount(const MountRequest& request);

// Shows the directory `source` at `target` too, with everything mounted below it.
Outcome BindMount(const std::string& source, const std::string& target);

// Makes the mount at `target` read-only, leaving its other flags. Other places that show the same file system stay
// writable.
Outcome MakeMountReadOnly(const std::string& target);

// Unmounts, at once where nothing uses it, else as soon as nothing does. Fine if nothing is mounted there.
void Unmount(const std::string& target);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_MOUNTS_H_

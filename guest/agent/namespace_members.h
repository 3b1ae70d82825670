// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_NAMESPACE_MEMBERS_H_
#define VCD_GUEST_AGENT_NAMESPACE_MEMBERS_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace vcd::guest {

// What names the mount namespace of a process, such as "mnt:[4026532471]"; empty when the process is gone.
std::string MountNamespaceOf(pid_t pid);

// The processes in a mount namespace of that name: those of one container, where no control group tells. None for "".
std::vector<pid_t> ProcessesInMountNamespace(const std::string& name);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_NAMESPACE_MEMBERS_H_

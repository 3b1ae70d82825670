// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_HOST_NAMES_H_
#define VCD_GUEST_AGENT_HOST_NAMES_H_

#include <string>
#include <vector>

namespace vcd::guest {

// Gives the name `now` to the UTS namespaces of those processes, named by pidfd, in which the host is called `before`.
// Names that containers took by themselves stay. What cannot be done is left: a process may have ended.
void RenameHosts(const std::vector<int>& pidfds, const std::string& before, const std::string& now);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_HOST_NAMES_H_

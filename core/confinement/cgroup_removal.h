// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_CONFINEMENT_CGROUP_REMOVAL_H_
#define VCD_CORE_CONFINEMENT_CGROUP_REMOVAL_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace vcd {

// The processes in a control group, as its file names them; none when there is no such group.
std::vector<std::string> CgroupProcesses(const std::string& directory);

// Removes a control group of version 2 (`unified`) or 1; OK when there is none. A process leaves its group some time
// after it was seen to end: waits for that until `patience`. What is in the group by then is named in the error, and
// not ended.
absl::Status RemoveCgroup(const std::string& directory, bool unified, absl::Time patience);

}  // namespace vcd

#endif  // VCD_CORE_CONFINEMENT_CGROUP_REMOVAL_H_

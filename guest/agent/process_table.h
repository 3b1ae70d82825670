// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_PROCESS_TABLE_H_
#define VCD_GUEST_AGENT_PROCESS_TABLE_H_

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd::guest {

// What to list.
struct ProcessTableRequest {
  std::string proc = "/proc";
  std::vector<pid_t> pids;
  std::map<pid_t, std::string> process_ids;  // Of the execs among them.
  std::string passwd;                        // Text of the container's /etc/passwd.
};

// Tells of each process that is still there. What processes say of themselves is made valid UTF-8 and cut; when the
// answer has grown large, the rest is left out and `truncated` says so.
::vcd::agent::v1::ProcessList ListProcessTable(const ProcessTableRequest& request);

// `roots` and all that descend from them, for machines without control groups.
std::vector<pid_t> FindDescendants(const std::string& proc, const std::vector<pid_t>& roots);

// Whether the process is on its way out, and runs nothing of its program any more. False when it is gone.
bool IsExiting(const std::string& proc, pid_t pid);

// The container's /etc/passwd, as its process `pid` would open it: links lead nowhere outside of its root. Empty when
// there is none.
std::string ReadContainerPasswd(pid_t pid);

// `text` with what is no UTF-8 replaced by '?'.
std::string ValidUtf8(const std::string& text);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_PROCESS_TABLE_H_

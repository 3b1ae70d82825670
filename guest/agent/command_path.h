// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_COMMAND_PATH_H_
#define VCD_GUEST_AGENT_COMMAND_PATH_H_

#include <string>
#include <string_view>

#include "guest/agent/outcome.h"

namespace vcd::guest {

// Where programs are looked for when the container's environment has no PATH.
inline constexpr char kDefaultPath[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// The file that runs as `program`, seen from the calling process: its root, working directory and user. A name with a
// slash is that file; any other is looked for in the directories of `path`, colon separated. Nothing found is
// ERROR_CODE_COMMAND_NOT_FOUND; only files that this user may not execute is ERROR_CODE_COMMAND_NOT_EXECUTABLE.
OutcomeOr<std::string> FindCommand(const std::string& program, std::string_view path);

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_COMMAND_PATH_H_

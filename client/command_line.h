// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_COMMAND_LINE_H_
#define VCD_CLIENT_COMMAND_LINE_H_

#include <memory>
#include <string>
#include <vector>

#include "client/command.h"
#include "client/environment.h"

namespace vcd::client {

// Reads the words after `vc`, runs the verb they name out of `commands`, and returns the exit status. SIGPIPE must be
// ignored.
int RunCommandLine(const std::vector<std::string>& words, const std::vector<std::unique_ptr<Command>>& commands,
                   const Environment& environment);

}  // namespace vcd::client

#endif  // VCD_CLIENT_COMMAND_LINE_H_

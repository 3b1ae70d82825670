// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_COMMAND_REGISTRY_H_
#define VCD_CLIENT_COMMAND_REGISTRY_H_

#include <memory>
#include <vector>

#include "client/command.h"

namespace vcd::client {

// Every verb of vc, in the order of the help. Each call makes new ones.
std::vector<std::unique_ptr<Command>> AllCommands();

}  // namespace vcd::client

#endif  // VCD_CLIENT_COMMAND_REGISTRY_H_

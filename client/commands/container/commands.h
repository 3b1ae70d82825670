// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_COMMANDS_CONTAINER_COMMANDS_H_
#define VCD_CLIENT_COMMANDS_CONTAINER_COMMANDS_H_

#include <memory>

#include "client/command.h"

namespace vcd::client {

// The verbs of `vc container`, each in the file of its name: one container of a pod that is there.
std::unique_ptr<Command> NewContainerCreateCommand();
std::unique_ptr<Command> NewContainerKillCommand();
std::unique_ptr<Command> NewContainerLsCommand();
std::unique_ptr<Command> NewContainerRmCommand();
std::unique_ptr<Command> NewContainerStartCommand();
std::unique_ptr<Command> NewContainerStopCommand();

}  // namespace vcd::client

#endif  // VCD_CLIENT_COMMANDS_CONTAINER_COMMANDS_H_

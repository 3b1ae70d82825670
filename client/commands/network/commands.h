// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_COMMANDS_NETWORK_COMMANDS_H_
#define VCD_CLIENT_COMMANDS_NETWORK_COMMANDS_H_

#include <memory>

#include "client/command.h"

namespace vcd::client {

// The verbs of `vc network`, each in the file of its name: network interfaces of a pod that is there.
std::unique_ptr<Command> NewNetworkAttachCommand();
std::unique_ptr<Command> NewNetworkDetachCommand();
std::unique_ptr<Command> NewNetworkLsCommand();

}  // namespace vcd::client

#endif  // VCD_CLIENT_COMMANDS_NETWORK_COMMANDS_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_COMMANDS_TEMPLATE_COMMANDS_H_
#define VCD_CLIENT_COMMANDS_TEMPLATE_COMMANDS_H_

#include <memory>

#include "client/command.h"

namespace vcd::client {

// The verbs of `vc template`, each in the file of its name: machines that pods start from in place of a boot.
std::unique_ptr<Command> NewTemplateLsCommand();
std::unique_ptr<Command> NewTemplatePrepareCommand();
std::unique_ptr<Command> NewTemplateRmCommand();

}  // namespace vcd::client

#endif  // VCD_CLIENT_COMMANDS_TEMPLATE_COMMANDS_H_

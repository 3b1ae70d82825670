// SPDX-License-Identifier: Apache-2.0
#include "client/command_registry.h"

#include <memory>
#include <vector>

#include "client/commands/commands.h"
#include "client/commands/container/commands.h"
#include "client/commands/network/commands.h"
#include "client/commands/template/commands.h"

namespace vcd::client {

std::vector<std::unique_ptr<Command>> AllCommands() {
  std::vector<std::unique_ptr<Command>> commands;
  commands.push_back(NewRunCommand());
  commands.push_back(NewCreateCommand());
  commands.push_back(NewStartCommand());
  commands.push_back(NewExecCommand());
  commands.push_back(NewExecsCommand());
  commands.push_back(NewAttachCommand());
  commands.push_back(NewLogsCommand());
  commands.push_back(NewCpCommand());
  commands.push_back(NewPortForwardCommand());
  commands.push_back(NewPsCommand());
  commands.push_back(NewInspectCommand());
  commands.push_back(NewTopCommand());
  commands.push_back(NewStatsCommand());
  commands.push_back(NewUpdateCommand());
  commands.push_back(NewWaitCommand());
  commands.push_back(NewKillCommand());
  commands.push_back(NewPauseCommand());
  commands.push_back(NewResizeCommand());
  commands.push_back(NewResumeCommand());
  commands.push_back(NewCheckpointCommand());
  commands.push_back(NewRestoreCommand());
  commands.push_back(NewStopCommand());
  commands.push_back(NewRmCommand());
  commands.push_back(NewAnnotateCommand());
  commands.push_back(NewContainerCreateCommand());
  commands.push_back(NewContainerStartCommand());
  commands.push_back(NewContainerLsCommand());
  commands.push_back(NewContainerKillCommand());
  commands.push_back(NewContainerStopCommand());
  commands.push_back(NewContainerRmCommand());
  commands.push_back(NewNetworkAttachCommand());
  commands.push_back(NewNetworkDetachCommand());
  commands.push_back(NewNetworkLsCommand());
  commands.push_back(NewTemplateLsCommand());
  commands.push_back(NewTemplatePrepareCommand());
  commands.push_back(NewTemplateRmCommand());
  commands.push_back(NewEventsCommand());
  commands.push_back(NewCheckCommand());
  commands.push_back(NewInfoCommand());
  commands.push_back(NewVersionCommand());
  return commands;
}

}  // namespace vcd::client

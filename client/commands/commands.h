// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_COMMANDS_COMMANDS_H_
#define VCD_CLIENT_COMMANDS_COMMANDS_H_

#include <memory>

#include "client/command.h"

namespace vcd::client {

// The verbs, each in the file of its name.
std::unique_ptr<Command> NewAnnotateCommand();
std::unique_ptr<Command> NewAttachCommand();
std::unique_ptr<Command> NewCpCommand();
std::unique_ptr<Command> NewCreateCommand();
std::unique_ptr<Command> NewEventsCommand();
std::unique_ptr<Command> NewExecCommand();
std::unique_ptr<Command> NewExecsCommand();
std::unique_ptr<Command> NewCheckCommand();
std::unique_ptr<Command> NewCheckpointCommand();
std::unique_ptr<Command> NewInfoCommand();
std::unique_ptr<Command> NewInspectCommand();
std::unique_ptr<Command> NewKillCommand();
std::unique_ptr<Command> NewLogsCommand();
std::unique_ptr<Command> NewPauseCommand();
std::unique_ptr<Command> NewPortForwardCommand();
std::unique_ptr<Command> NewPsCommand();
std::unique_ptr<Command> NewResizeCommand();
std::unique_ptr<Command> NewRestoreCommand();
std::unique_ptr<Command> NewResumeCommand();
std::unique_ptr<Command> NewRmCommand();
std::unique_ptr<Command> NewRunCommand();
std::unique_ptr<Command> NewStartCommand();
std::unique_ptr<Command> NewStatsCommand();
std::unique_ptr<Command> NewStopCommand();
std::unique_ptr<Command> NewTopCommand();
std::unique_ptr<Command> NewUpdateCommand();
std::unique_ptr<Command> NewVersionCommand();
std::unique_ptr<Command> NewWaitCommand();

}  // namespace vcd::client

#endif  // VCD_CLIENT_COMMANDS_COMMANDS_H_

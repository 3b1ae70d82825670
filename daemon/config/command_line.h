// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_CONFIG_COMMAND_LINE_H_
#define VCD_DAEMON_CONFIG_COMMAND_LINE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/vcd/config/v1/daemon_config.pb.h"

namespace vcd {

// What the command line of vcd asks for.
struct CommandLine {
  // Set when there is nothing to run: print `text` (on stderr unless the code is 0) and exit with it. 0 after --help
  // and
  // --version, 2 after a mistake.
  std::optional<int> exit_code;
  std::string text;

  std::string config_path;         // Empty: kDefaultConfigPath, if it is there.
  bool check_config = false;       // Only say whether the configuration is good.
  bool check_host = false;         // Only say what this host can do with it.
  config::v1::DaemonConfig flags;  // Only what was given.
};

// Reads the command line, program name first. Relative paths become absolute: the daemon may change directory.
CommandLine ParseCommandLine(const std::vector<std::string>& arguments);

// The configuration that file, flags (which win) and defaults make together, its values checked. Blocks on the disk.
absl::StatusOr<config::v1::DaemonConfig> ResolveConfig(const CommandLine& command_line);

}  // namespace vcd

#endif  // VCD_DAEMON_CONFIG_COMMAND_LINE_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_CONFIG_CONFIG_LOADER_H_
#define VCD_DAEMON_CONFIG_CONFIG_LOADER_H_

#include <string>

#include "absl/status/statusor.h"
#include "proto/vcd/config/v1/daemon_config.pb.h"

namespace vcd {

// Where the configuration is looked for when nobody names a file.
inline constexpr char kDefaultConfigPath[] = "/etc/vcd/vcd.toml";

// Reads a TOML document whose keys are the fields of DaemonConfig. What the document does not say stays empty. `name`
// is for messages. kInvalidArgument as "NAME:LINE:COLUMN: problem" for broken TOML, unknown keys, and values of a wrong
// type or size.
absl::StatusOr<config::v1::DaemonConfig> ParseConfig(const std::string& text, const std::string& name);

// The same for a file; blocks on the disk. kNotFound when there is none.
absl::StatusOr<config::v1::DaemonConfig> LoadConfigFile(const std::string& path);

// Fills in every default. The one place that knows them.
void FillDefaults(config::v1::DaemonConfig& config);

// Checks values once the defaults are filled in: kInvalidArgument naming the field. Which backends there are is checked
// where they are known, in daemon/app.
absl::Status CheckConfig(const config::v1::DaemonConfig& config);

}  // namespace vcd

#endif  // VCD_DAEMON_CONFIG_CONFIG_LOADER_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_COMMANDS_POD_TABLE_H_
#define VCD_CLIENT_COMMANDS_POD_TABLE_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/commands/output_options.h"
#include "proto/vcd/v1/pod.pb.h"

namespace vcd::client {

// Pods as a table, as ids, or as `{"pods": […]}` in JSON or YAML.
std::string RenderPods(const OutputOptions& output, const std::vector<v1::Pod>& pods, absl::Time now);

}  // namespace vcd::client

#endif  // VCD_CLIENT_COMMANDS_POD_TABLE_H_

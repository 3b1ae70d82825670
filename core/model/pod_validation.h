// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_MODEL_POD_VALIDATION_H_
#define VCD_CORE_MODEL_POD_VALIDATION_H_

#include <string>

#include "absl/status/status.h"
#include "core/model/field_checks.h"
#include "proto/vcd/v1/container.pb.h"
#include "proto/vcd/v1/pod.pb.h"
#include "proto/vcd/v1/process.pb.h"

namespace vcd {

// Checks of what clients ask for, before anything is touched. kInvalidArgument (INVALID_FIELD) names the field by its
// path in the request, such as `config.containers[1].cmd.args[0]`; what this release cannot do is kUnimplemented
// (NOT_IMPLEMENTED), naming the field too, once all else is right. Pure functions: whether a file exists, a backend is
// known, or a user is in the image is told by whoever looks there.
//
// `field` is the path of the message itself. Ids may be empty: they are generated.
// `runs_processes` is the agent's capability: with it containers need a root file system and a command.
absl::Status ValidatePodConfig(const v1::PodConfig& config, bool runs_processes, const std::string& field = "config");
absl::Status ValidateContainerConfig(const v1::ContainerConfig& config, bool runs_processes,
                                     const std::string& field = "config");
// That a configuration which has grown is still one that can be stored, read and sent; kInvalidArgument otherwise.
absl::Status CheckConfigSize(const v1::PodConfig& config);
absl::Status ValidateCmd(const v1::Cmd& cmd, const std::string& field = "cmd");

}  // namespace vcd

#endif  // VCD_CORE_MODEL_POD_VALIDATION_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_MODEL_LINUX_VALIDATION_H_
#define VCD_CORE_MODEL_LINUX_VALIDATION_H_

#include <string>

#include "absl/status/status.h"
#include "proto/vcd/v1/container.pb.h"

namespace vcd {

// Parts of what pod_validation.h promises: what a container sees of the guest's kernel.

absl::Status CheckLinuxSettings(const v1::LinuxSettings& settings, const std::string& field);
absl::Status CheckDevices(const v1::ContainerConfig& config, const std::string& field);

}  // namespace vcd

#endif  // VCD_CORE_MODEL_LINUX_VALIDATION_H_

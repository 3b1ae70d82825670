// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_MODEL_CONTAINER_VALIDATION_H_
#define VCD_CORE_MODEL_CONTAINER_VALIDATION_H_

#include <string>

#include "absl/status/status.h"
#include "proto/vcd/v1/container.pb.h"

namespace vcd {

// Parts of what pod_validation.h promises.

// All that does not depend on other containers, except what is not implemented.
absl::Status CheckContainer(const v1::ContainerConfig& config, bool runs_processes, const std::string& field);
absl::Status CheckContainerIsImplemented(const v1::ContainerConfig& config, bool runs_processes,
                                         const std::string& field);

}  // namespace vcd

#endif  // VCD_CORE_MODEL_CONTAINER_VALIDATION_H_

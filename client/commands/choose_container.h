// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_COMMANDS_CHOOSE_CONTAINER_H_
#define VCD_CLIENT_COMMANDS_CHOOSE_CONTAINER_H_

#include <string>

#include "absl/status/statusor.h"
#include "client/daemon/daemon_client.h"

namespace vcd::client {

// `given`, if it is not empty; else the pod's only container, or `main`. Otherwise FAILED_PRECONDITION lists them.
absl::StatusOr<std::string> ChooseContainer(const v1::Pod& pod, const std::string& given);
// The same for a pod that is still to be looked at; it is not when `given` says all.
absl::StatusOr<std::string> ChooseContainer(DaemonClient* daemon, const std::string& pod_id, const std::string& given);

}  // namespace vcd::client

#endif  // VCD_CLIENT_COMMANDS_CHOOSE_CONTAINER_H_

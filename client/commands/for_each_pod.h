// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_COMMANDS_FOR_EACH_POD_H_
#define VCD_CLIENT_COMMANDS_FOR_EACH_POD_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/invocation.h"

namespace vcd::client {

// Does `action` to each pod in turn, prints the ids of those done and reports the others. Goes on after a failure;
// returns kFailure when there was any.
int ForEachPod(Invocation* invocation, const std::vector<std::string>& pod_ids,
               const std::function<absl::Status(const std::string& pod_id)>& action);

// The same for containers of one pod.
int ForEachContainer(Invocation* invocation, const std::string& pod_id, const std::vector<std::string>& container_ids,
                     const std::function<absl::Status(const std::string& container_id)>& action);

// What a person is told of a pod that was to be stopped or deleted and is not there. The API takes that for done; who
// types a name wants to know that it was wrong.
absl::Status NoSuchPod();
// The same of a container.
absl::Status NoSuchContainer(const std::string& pod_id);

}  // namespace vcd::client

#endif  // VCD_CLIENT_COMMANDS_FOR_EACH_POD_H_

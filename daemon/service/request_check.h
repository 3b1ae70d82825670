// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_REQUEST_CHECK_H_
#define VCD_DAEMON_SERVICE_REQUEST_CHECK_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace vcd {

// What can be said of a request without knowing any pod. Errors are kInvalidArgument with INVALID_FIELD.

// An id that must be there: `[A-Za-z0-9][A-Za-z0-9_.-]{0,63}`.
absl::Status CheckId(const std::string& field, const std::string& id);

// An id that may be empty, such as that of a container's first process.
absl::Status CheckOptionalId(const std::string& field, const std::string& id);

// Pod and container of a request, by their usual names.
absl::Status CheckContainerIds(const std::string& pod_id, const std::string& container_id);

// Pod, container and process of a request.
absl::Status CheckProcessIds(const std::string& pod_id, const std::string& container_id, const std::string& process_id);

// 1 … 64.
absl::Status CheckSignal(int32_t signal);

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_REQUEST_CHECK_H_

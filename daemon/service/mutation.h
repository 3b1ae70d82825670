// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_MUTATION_H_
#define VCD_DAEMON_SERVICE_MUTATION_H_

#include "core/pod/pod_runtime.h"
#include "core/status/error_detail.h"
#include "daemon/service/unary_call.h"

namespace vcd {

// What the runtime gets with a mutation. Every mutation's request message has a `request_id`.
template <typename Request>
MutationOptions OptionsOf(const UnaryCall& call, const Request& request) {
  return {call.deadline(), request.request_id()};
}

// Whether a stop or a deletion failed because there is no such pod or container: over the API it succeeds then, and
// says that nothing was there.
inline bool WasGone(const absl::Status& status) {
  if (!absl::IsNotFound(status)) return false;
  const auto detail = DetailOf(status);
  return detail.has_value() &&
         (detail->reason == v1::ERROR_REASON_POD_NOT_FOUND || detail->reason == v1::ERROR_REASON_CONTAINER_NOT_FOUND);
}

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_MUTATION_H_

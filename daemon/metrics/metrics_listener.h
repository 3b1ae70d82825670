// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_METRICS_METRICS_LISTENER_H_
#define VCD_DAEMON_METRICS_METRICS_LISTENER_H_

#include "absl/status/statusor.h"
#include "core/os/unique_fd.h"
#include "daemon/metrics/metrics_address.h"

namespace vcd {

// A listening socket at the address, which is told the port that was found for port 0. A Unix socket gets mode 0660 and
// the group `vcd` where there is one, in a directory that is made when missing; one that a dead daemon left is
// replaced, a live one's is kFailedPrecondition. Errors name the address and what to do.
absl::StatusOr<UniqueFd> ListenForMetrics(MetricsAddress& address);

}  // namespace vcd

#endif  // VCD_DAEMON_METRICS_METRICS_LISTENER_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_CONVERT_STATUS_MAPPING_H_
#define VCD_DAEMON_CONVERT_STATUS_MAPPING_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace vcd {

// The one way in which an error leaves the daemon: the same canonical code, the message, and a google.rpc.Status with
// one google.rpc.ErrorInfo (domain `vcd`, the reason of the status's ErrorDetail without `ERROR_REASON_`; `UNSPECIFIED`
// where it has none) for the `grpc-status-details-bin` trailer. Text is made valid UTF-8 and cut in its middle so that
// all trailers together stay below the 8 KiB that gRPC clients accept by default; past that they would see
// RESOURCE_EXHAUSTED and nothing of the error.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace vcd

#endif  // VCD_DAEMON_CONVERT_STATUS_MAPPING_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_DAEMON_RPC_ERROR_H_
#define VCD_CLIENT_DAEMON_RPC_ERROR_H_

#include <string>

#include "absl/status/status.h"
#include "grpcpp/support/status.h"
#include "proto/vcd/v1/error.pb.h"

namespace vcd::client {

// What the daemon answered, with its reason attached for ErrorReasonOf. The message is the daemon's own.
absl::Status FromGrpcStatus(const grpc::Status& status);

// The reason out of google.rpc.ErrorInfo of domain `vcd`; UNSPECIFIED when there is none or none we know.
v1::ErrorReason ErrorReasonOf(const absl::Status& status);

// Whether the daemon itself said so: the status came with an ErrorInfo of domain `vcd`.
bool SaidByDaemon(const absl::Status& status);

// What a verb that passes on a command's exit code ends with when the command did not run: 127 when there is no such
// command, 126 when it cannot be executed, 125 for the rest.
int CommandFailureExitCode(const absl::Status& status);

}  // namespace vcd::client

#endif  // VCD_CLIENT_DAEMON_RPC_ERROR_H_

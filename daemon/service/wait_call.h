// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_WAIT_CALL_H_
#define VCD_DAEMON_SERVICE_WAIT_CALL_H_

#include "core/pod/pod_runtime.h"
#include "proto/vcd/v1/process_service.grpc.pb.h"

namespace vcd {

// ProcessService.Wait, to be returned by the handler; lives as long as gRPC or a callback needs it. Ends with the
// process or when the client goes, and holds no thread until then. A process that is not known yet is waited for until
// `known_by`. The runtime outlives it.
grpc::ServerUnaryReactor* StartWaitCall(PodRuntime& runtime, const v1::WaitRequest& request, v1::WaitResponse& response,
                                        absl::Time known_by);

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_WAIT_CALL_H_

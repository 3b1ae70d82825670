// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_WAIT_CALL_H_
#define VCD_DAEMON_SERVICE_WAIT_CALL_H_

#include "core/pod/pod_runtime.h"
#include "proto/vcd/v1/process_service.grpc.pb.h"

namespace vcd {

// ProcessService.Wait, to be returned by the handler; belongs to gRPC. Ends with the process or when the client goes,
// and holds no thread until then. The runtime outlives it.
grpc::ServerUnaryReactor* StartWaitCall(PodRuntime& runtime, const v1::WaitRequest& request,
                                        v1::WaitResponse& response);

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_WAIT_CALL_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_PORT_FORWARD_CALL_H_
#define VCD_DAEMON_SERVICE_PORT_FORWARD_CALL_H_

#include "core/pod/pod_runtime.h"
#include "proto/vcd/v1/process_service.grpc.pb.h"

namespace vcd {

// ProcessService.PortForward, to be returned by the handler. Holds no thread while nothing flows: one message is on its
// way at a time in each direction, so a slow side holds the other up and no memory. The runtime outlives it.
grpc::ServerBidiReactor<v1::PortForwardRequest, v1::PortForwardResponse>* StartPortForwardCall(
    PodRuntime& runtime, grpc::CallbackServerContext* context);

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_PORT_FORWARD_CALL_H_

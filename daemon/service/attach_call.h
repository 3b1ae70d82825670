// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_ATTACH_CALL_H_
#define VCD_DAEMON_SERVICE_ATTACH_CALL_H_

#include "core/pod/pod_runtime.h"
#include "proto/vcd/v1/process_service.grpc.pb.h"

namespace vcd {

// ProcessService.Attach, to be returned by the handler; lives as long as gRPC or a callback needs it. Holds no thread
// while nothing flows: one message of output is on its way at a time, and one of input, so a slow side holds the other
// up and no memory. A process that is not known yet is waited for until `known_by`. The runtime outlives it.
grpc::ServerBidiReactor<v1::AttachRequest, v1::AttachResponse>* StartAttachCall(PodRuntime& runtime,
                                                                                absl::Time known_by);

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_ATTACH_CALL_H_

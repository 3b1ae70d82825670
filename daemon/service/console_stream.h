// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_CONSOLE_STREAM_H_
#define VCD_DAEMON_SERVICE_CONSOLE_STREAM_H_

#include "core/pod/pod_runtime.h"
#include "proto/vcd/v1/pod_service.grpc.pb.h"

namespace vcd {

// PodService.ReadConsole, to be returned by the handler; belongs to gRPC. The runtime outlives it.
grpc::ServerWriteReactor<v1::ReadConsoleResponse>* StartConsoleStream(PodRuntime& runtime,
                                                                      const v1::ReadConsoleRequest& request);

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_CONSOLE_STREAM_H_

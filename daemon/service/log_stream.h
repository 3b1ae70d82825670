// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_LOG_STREAM_H_
#define VCD_DAEMON_SERVICE_LOG_STREAM_H_

#include "core/pod/pod_runtime.h"
#include "proto/vcd/v1/process_service.grpc.pb.h"

namespace vcd {

// ProcessService.ReadLogs, to be returned by the handler; belongs to gRPC. The runtime outlives it.
grpc::ServerWriteReactor<v1::ReadLogsResponse>* StartLogStream(PodRuntime& runtime, const v1::ReadLogsRequest& request);

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_LOG_STREAM_H_

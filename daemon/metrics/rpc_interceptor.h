// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_METRICS_RPC_INTERCEPTOR_H_
#define VCD_DAEMON_METRICS_RPC_INTERCEPTOR_H_

#include <grpcpp/support/server_interceptor.h>

#include <memory>

#include "daemon/metrics/rpc_metrics.h"

namespace vcd {

// Makes a gRPC server tell `metrics` of every call to a method that it knows, unary or stream, whoever serves it. The
// metrics outlive the server.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MeterRpcs(RpcMetrics& metrics);

}  // namespace vcd

#endif  // VCD_DAEMON_METRICS_RPC_INTERCEPTOR_H_

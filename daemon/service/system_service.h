// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_SYSTEM_SERVICE_H_
#define VCD_DAEMON_SERVICE_SYSTEM_SERVICE_H_

#include <utility>

#include "core/pod/pod_runtime.h"
#include "daemon/check/host_check.h"
#include "proto/vcd/v1/system_service.grpc.pb.h"

namespace vcd {

// vcd.v1.SystemService. The runtime and the check outlive it.
class SystemService final : public v1::SystemService::CallbackService {
 public:
  // `info` is what does not change while the daemon runs; the number of pods is added to it.
  SystemService(const PodRuntime& runtime, v1::GetInfoResponse info, HostCheck& check)
      : runtime_(runtime), info_(std::move(info)), check_(check) {}

  grpc::ServerUnaryReactor* GetVersion(grpc::CallbackServerContext* context, const v1::GetVersionRequest* request,
                                       v1::GetVersionResponse* response) override;
  grpc::ServerUnaryReactor* GetInfo(grpc::CallbackServerContext* context, const v1::GetInfoRequest* request,
                                    v1::GetInfoResponse* response) override;
  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* context, const v1::CheckRequest* request,
                                  v1::CheckResponse* response) override;

 private:
  const PodRuntime& runtime_;
  const v1::GetInfoResponse info_;
  HostCheck& check_;
};

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_SYSTEM_SERVICE_H_

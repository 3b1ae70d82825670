// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/system_service.h"

#include "daemon/service/unary_call.h"
#include "daemon/version.h"

namespace vcd {

grpc::ServerUnaryReactor* SystemService::GetVersion(grpc::CallbackServerContext* context, const v1::GetVersionRequest*,
                                                    v1::GetVersionResponse* response) {
  const UnaryCall call(context, "GetVersion", CallKind::kRead, "");
  response->set_version(kVersion);
  response->set_api_version("v1");
  return call.FinishNow(absl::OkStatus());
}

grpc::ServerUnaryReactor* SystemService::GetInfo(grpc::CallbackServerContext* context, const v1::GetInfoRequest*,
                                                 v1::GetInfoResponse* response) {
  const UnaryCall call(context, "GetInfo", CallKind::kRead, "");
  *response = info_;
  response->set_pods(static_cast<uint32_t>(runtime_.ListPods().size()));
  return call.FinishNow(absl::OkStatus());
}

grpc::ServerUnaryReactor* SystemService::Check(grpc::CallbackServerContext* context, const v1::CheckRequest*,
                                               v1::CheckResponse* response) {
  const UnaryCall call(context, "Check", CallKind::kRead, "");
  check_.Run([call, response](const v1::CheckResponse& found) {
    *response = found;
    call.Finish(absl::OkStatus());
  });
  return call.reactor();
}

}  // namespace vcd

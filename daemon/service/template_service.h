// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_SERVICE_TEMPLATE_SERVICE_H_
#define VCD_DAEMON_SERVICE_TEMPLATE_SERVICE_H_

#include "core/pod/pod_runtime.h"
#include "proto/vcd/v1/template_service.grpc.pb.h"

namespace vcd {

// vcd.v1.TemplateService. The runtime outlives it.
class TemplateService final : public v1::TemplateService::CallbackService {
 public:
  explicit TemplateService(PodRuntime& runtime) : runtime_(runtime) {}

  grpc::ServerUnaryReactor* ListTemplates(grpc::CallbackServerContext* context, const v1::ListTemplatesRequest* request,
                                          v1::ListTemplatesResponse* response) override;
  grpc::ServerUnaryReactor* PrepareTemplate(grpc::CallbackServerContext* context,
                                            const v1::PrepareTemplateRequest* request,
                                            v1::PrepareTemplateResponse* response) override;
  grpc::ServerUnaryReactor* DeleteTemplate(grpc::CallbackServerContext* context,
                                           const v1::DeleteTemplateRequest* request,
                                           v1::DeleteTemplateResponse* response) override;

 private:
  PodRuntime& runtime_;
};

}  // namespace vcd

#endif  // VCD_DAEMON_SERVICE_TEMPLATE_SERVICE_H_

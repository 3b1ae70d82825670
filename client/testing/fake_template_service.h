// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CLIENT_TESTING_FAKE_TEMPLATE_SERVICE_H_
#define VCD_CLIENT_TESTING_FAKE_TEMPLATE_SERVICE_H_

#include "client/testing/fake_state.h"
#include "grpcpp/grpcpp.h"
#include "proto/vcd/v1/template_service.grpc.pb.h"

namespace vcd::client {

// Has the templates that it is given, and makes one with the key `cafe` when asked. A part of FakeServer.
class FakeTemplateService final : public v1::TemplateService::Service {
 public:
  // Borrows the state.
  explicit FakeTemplateService(FakeState* state) : state_(*state) {}

  grpc::Status ListTemplates(grpc::ServerContext* context, const v1::ListTemplatesRequest* request,
                             v1::ListTemplatesResponse* response) override;
  grpc::Status PrepareTemplate(grpc::ServerContext* context, const v1::PrepareTemplateRequest* request,
                               v1::PrepareTemplateResponse* response) override;
  grpc::Status DeleteTemplate(grpc::ServerContext* context, const v1::DeleteTemplateRequest* request,
                              v1::DeleteTemplateResponse* response) override;

 private:
  FakeState& state_;
};

}  // namespace vcd::client

#endif  // VCD_CLIENT_TESTING_FAKE_TEMPLATE_SERVICE_H_

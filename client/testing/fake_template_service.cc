// SPDX-License-Identifier: Apache-2.0
#include "client/testing/fake_template_service.h"

#include <vector>

#include "absl/strings/match.h"

namespace vcd::client {

grpc::Status FakeTemplateService::ListTemplates(grpc::ServerContext* context, const v1::ListTemplatesRequest* request,
                                                v1::ListTemplatesResponse* response) {
  if (grpc::Status status = state_.Enter(context, "ListTemplates", *request); !status.ok()) return status;
  std::lock_guard<std::mutex> lock(state_.mutex);
  for (const v1::Template& known : state_.templates) *response->add_templates() = known;
  return grpc::Status::OK;
}

grpc::Status FakeTemplateService::PrepareTemplate(grpc::ServerContext* context,
                                                  const v1::PrepareTemplateRequest* request,
                                                  v1::PrepareTemplateResponse* response) {
  if (grpc::Status status = state_.Enter(context, "PrepareTemplate", *request); !status.ok()) return status;
  response->mutable_template_()->set_key("cafe");
  return grpc::Status::OK;
}

grpc::Status FakeTemplateService::DeleteTemplate(grpc::ServerContext* context, const v1::DeleteTemplateRequest* request,
                                                 v1::DeleteTemplateResponse* response) {
  if (grpc::Status status = state_.Enter(context, "DeleteTemplate", *request); !status.ok()) return status;
  std::lock_guard<std::mutex> lock(state_.mutex);
  std::vector<v1::Template>& templates = state_.templates;
  for (auto known = templates.begin(); known != templates.end();) {
    if (request->key() != "*" && !absl::StartsWith(known->key(), request->key())) {
      ++known;
      continue;
    }
    response->add_keys(known->key());
    known = templates.erase(known);
  }
  return grpc::Status::OK;
}

}  // namespace vcd::client

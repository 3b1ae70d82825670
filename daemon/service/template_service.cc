// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/template_service.h"

#include <time.h>

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/model/utf8.h"
#include "daemon/service/unary_call.h"

namespace vcd {
namespace {

v1::TemplateState ToApi(TemplateState state) {
  switch (state) {
    case TemplateState::kBuilding:
      return v1::TEMPLATE_STATE_BUILDING;
    case TemplateState::kReady:
      return v1::TEMPLATE_STATE_READY;
    case TemplateState::kFailed:
      return v1::TEMPLATE_STATE_FAILED;
  }
  return v1::TEMPLATE_STATE_UNSPECIFIED;
}

void Put(absl::Time time, google::protobuf::Timestamp* to) {
  const timespec parts = absl::ToTimespec(time);
  to->set_seconds(parts.tv_sec);
  to->set_nanos(static_cast<int32_t>(parts.tv_nsec));
}

v1::Template ToApi(const TemplateInfo& info) {
  v1::Template view;
  view.set_key(info.key);
  view.set_state(ToApi(info.state));
  view.set_reason(ToUtf8(info.reason));
  view.set_trust_domain(info.trust_domain);
  view.set_vcpus(info.vcpus);
  view.set_memory_mib(info.memory_mib);
  view.set_kernel_path(ToUtf8(info.kernel_path));
  view.set_machine_type(info.machine_type);
  view.set_memory_bytes(info.memory_bytes);
  Put(info.created_at, view.mutable_created_at());
  if (info.last_used_at != absl::InfinitePast()) Put(info.last_used_at, view.mutable_last_used_at());
  view.set_clones(info.clones);
  view.set_fallbacks(info.fallbacks);
  view.set_warm_machines(info.warm_machines);
  return view;
}

}  // namespace

grpc::ServerUnaryReactor* TemplateService::ListTemplates(grpc::CallbackServerContext* context,
                                                         const v1::ListTemplatesRequest*,
                                                         v1::ListTemplatesResponse* response) {
  const UnaryCall call(context, "ListTemplates", CallKind::kRead, "");
  for (const TemplateInfo& info : runtime_.ListTemplates()) *response->add_templates() = ToApi(info);
  return call.FinishNow(absl::OkStatus());
}

grpc::ServerUnaryReactor* TemplateService::PrepareTemplate(grpc::CallbackServerContext* context,
                                                           const v1::PrepareTemplateRequest* request,
                                                           v1::PrepareTemplateResponse* response) {
  const UnaryCall call(context, "PrepareTemplate", CallKind::kMutation, "");
  runtime_.PrepareTemplate(request->config(), [call, response](const absl::StatusOr<TemplateInfo>& info) {
    if (info.ok()) *response->mutable_template_() = ToApi(*info);
    call.Finish(info.status());
  });
  return call.reactor();
}

grpc::ServerUnaryReactor* TemplateService::DeleteTemplate(grpc::CallbackServerContext* context,
                                                          const v1::DeleteTemplateRequest* request,
                                                          v1::DeleteTemplateResponse* response) {
  const UnaryCall call(context, "DeleteTemplate", CallKind::kMutation, "");
  runtime_.DeleteTemplate(request->key(), [call, response](const absl::StatusOr<std::vector<std::string>>& keys) {
    if (keys.ok()) *response->mutable_keys() = {keys->begin(), keys->end()};
    call.Finish(keys.status());
  });
  return call.reactor();
}

}  // namespace vcd

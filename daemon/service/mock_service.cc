// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/mock_service.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"
#include "daemon/service/request_check.h"
#include "daemon/service/unary_call.h"

namespace vcd {
namespace {

constexpr size_t kMaxReasonBytes = 1024;

// The status as Wait is to tell it.
absl::StatusOr<v1::ExitStatus> CheckExitStatus(v1::ExitStatus status) {
  if (status.signal() != 0) {
    VCD_RETURN_IF_ERROR(CheckSignal(status.signal()));
    if (status.code() != 0 && status.code() != 128 + status.signal()) {
      return InvalidField("exit_status.code", absl::StrCat(status.code(), " does not go with signal ", status.signal(),
                                                           ": leave it 0, or say ", 128 + status.signal()));
    }
    status.set_code(128 + status.signal());
  } else if (status.code() < 0 || status.code() > 255) {
    return InvalidField("exit_status.code", absl::StrCat(status.code(), " is no exit code: 0 to 255"));
  }
  return status;
}

absl::Status EndProcessNow(MockControl& control, const v1::EndProcessRequest& request) {
  VCD_RETURN_IF_ERROR(CheckProcessIds(request.pod_id(), request.container_id(), request.process_id()));
  VCD_ASSIGN_OR_RETURN(const v1::ExitStatus status, CheckExitStatus(request.exit_status()));
  return control.EndProcess(request.pod_id(), {request.container_id(), request.process_id()}, status);
}

absl::Status CrashNow(MockControl& control, const v1::CrashRequest& request) {
  VCD_RETURN_IF_ERROR(CheckId("pod_id", request.pod_id()));
  if (request.reason().size() > kMaxReasonBytes) {
    return InvalidField("reason", absl::StrCat("has more than ", kMaxReasonBytes, " bytes"));
  }
  return control.Crash(request.pod_id(), request.reason().empty() ? "the mock machine crashed" : request.reason());
}

}  // namespace

grpc::ServerUnaryReactor* MockService::SetBehavior(grpc::CallbackServerContext* context,
                                                   const v1::SetBehaviorRequest* request,
                                                   v1::SetBehaviorResponse* response) {
  const UnaryCall call(context, "SetBehavior", CallKind::kMutation, request->pod_id());
  absl::Status status = CheckId("pod_id", request->pod_id());
  if (status.ok()) status = control_->Set(request->pod_id(), request->behavior());
  if (status.ok()) *response->mutable_effective() = control_->Get(request->pod_id()).effective;
  return call.FinishNow(status);
}

grpc::ServerUnaryReactor* MockService::GetBehavior(grpc::CallbackServerContext* context,
                                                   const v1::GetBehaviorRequest* request,
                                                   v1::GetBehaviorResponse* response) {
  const UnaryCall call(context, "GetBehavior", CallKind::kRead, request->pod_id());
  const absl::Status status = CheckId("pod_id", request->pod_id());
  if (!status.ok()) return call.FinishNow(status);
  MockControl::Report report = control_->Get(request->pod_id());
  *response->mutable_set() = std::move(report.set);
  *response->mutable_annotated() = std::move(report.annotated);
  *response->mutable_configured() = std::move(report.configured);
  *response->mutable_effective() = std::move(report.effective);
  for (std::string& operation : report.waiting) response->add_waiting(std::move(operation));
  return call.FinishNow(status);
}

grpc::ServerUnaryReactor* MockService::Crash(grpc::CallbackServerContext* context, const v1::CrashRequest* request,
                                             v1::CrashResponse*) {
  const UnaryCall call(context, "Crash", CallKind::kMutation, request->pod_id());
  return call.FinishNow(CrashNow(*control_, *request));
}

grpc::ServerUnaryReactor* MockService::EndProcess(grpc::CallbackServerContext* context,
                                                  const v1::EndProcessRequest* request, v1::EndProcessResponse*) {
  const UnaryCall call(context, "EndProcess", CallKind::kMutation, request->pod_id());
  return call.FinishNow(EndProcessNow(*control_, *request));
}

}  // namespace vcd

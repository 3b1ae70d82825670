// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/unary_call.h"

#include <algorithm>

#include "absl/time/clock.h"
#include "daemon/convert/status_mapping.h"

namespace vcd {
namespace {

constexpr absl::Duration kCeiling = absl::Minutes(10);

}  // namespace

absl::Time DeadlineOf(const grpc::CallbackServerContext& context) {
  return std::min(absl::FromChrono(context.deadline()), absl::Now() + kCeiling);
}

UnaryCall::UnaryCall(grpc::CallbackServerContext* context, const char* method, CallKind kind, const std::string& pod_id)
    : reactor_(context->DefaultReactor()), deadline_(DeadlineOf(*context)), log_(method, kind, pod_id) {}

void UnaryCall::Finish(const absl::Status& status) const {
  // The response is gone once the reactor has finished, and the log is not to hold the answer up.
  reactor_->Finish(ToGrpcStatus(status));
  log_.Ended(status);
}

grpc::ServerUnaryReactor* UnaryCall::FinishNow(const absl::Status& status) const {
  Finish(status);
  return reactor_;
}

}  // namespace vcd

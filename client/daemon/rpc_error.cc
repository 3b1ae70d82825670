// SPDX-License-Identifier: Apache-2.0
#include "client/daemon/rpc_error.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "third_party/google/rpc/error.pb.h"

namespace vcd::client {
namespace {

constexpr char kDomain[] = "vcd";
constexpr char kReasonPayload[] = "vcd/reason";

}  // namespace

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  // Both enums have the canonical numbers. gRPC leaves the message empty in a few cases of its own.
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()),
                      status.error_message().empty()
                          ? absl::StrCat("the daemon gave no message (gRPC code ", status.error_code(), ")")
                          : status.error_message());
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return result;
  for (const auto& detail : details.details()) {
    google::rpc::ErrorInfo info;
    if (detail.UnpackTo(&info) && info.domain() == kDomain)
      result.SetPayload(kReasonPayload, absl::Cord(info.reason()));
  }
  return result;
}

v1::ErrorReason ErrorReasonOf(const absl::Status& status) {
  v1::ErrorReason reason = v1::ERROR_REASON_UNSPECIFIED;
  if (const auto payload = status.GetPayload(kReasonPayload)) {
    v1::ErrorReason_Parse(absl::StrCat("ERROR_REASON_", std::string(*payload)), &reason);
  }
  return reason;
}

bool SaidByDaemon(const absl::Status& status) { return status.GetPayload(kReasonPayload).has_value(); }

int CommandFailureExitCode(const absl::Status& status) {
  switch (ErrorReasonOf(status)) {
    case v1::ERROR_REASON_COMMAND_NOT_FOUND:
      return 127;
    case v1::ERROR_REASON_COMMAND_NOT_EXECUTABLE:
      return 126;
    default:
      return 125;
  }
}

}  // namespace vcd::client

// SPDX-License-Identifier: Apache-2.0
#include "daemon/convert/status_mapping.h"

#include <algorithm>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "core/model/utf8.h"
#include "core/status/error_detail.h"
#include "daemon/convert/safe_text.h"
#include "third_party/google/rpc/error.pb.h"

namespace vcd {
namespace {

// The message goes out twice: percent-encoded in `grpc-message`, and in base64 inside the details. With the metadata,
// 2.5 + 4/3 × (2.5 + 0.75) KiB stays below 8 KiB also when every byte has to be encoded.
constexpr size_t kMaxMessageBytes = 2560;
constexpr size_t kMaxMetadataBytes = 768;
constexpr size_t kMaxValueBytes = 256;

constexpr char kDomain[] = "vcd";
constexpr char kReasonPrefix[] = "ERROR_REASON_";

google::rpc::ErrorInfo ToErrorInfo(const ErrorDetail& detail) {
  google::rpc::ErrorInfo info;
  info.set_domain(kDomain);
  const std::string name = v1::ErrorReason_Name(detail.reason);
  info.set_reason(std::string(absl::StripPrefix(name, kReasonPrefix)));
  size_t left = kMaxMetadataBytes;
  for (const auto& [key, value] : detail.metadata) {
    const std::string safe_key = ToUtf8(key);
    const std::string safe_value = CutMiddle(ToUtf8(value), kMaxValueBytes);
    const size_t size = safe_key.size() + safe_value.size() + 8;  // And protobuf's own bytes.
    if (size > left) continue;
    left -= size;
    (*info.mutable_metadata())[safe_key] = safe_value;
  }
  return info;
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  // The canonical codes are the same numbers in both; absl::Status maps unknown ones to kUnknown.
  const auto code = static_cast<grpc::StatusCode>(status.code());
  const std::string message = CutMiddle(ToUtf8(status.message()), kMaxMessageBytes);
  google::rpc::Status rich;
  rich.set_code(code);
  rich.set_message(message);
  // Also without a reason: it is how a client tells the daemon's words from those of its own gRPC, which has the codes
  // of a deadline and of a lost connection too.
  rich.add_details()->PackFrom(ToErrorInfo(DetailOf(status).value_or(ErrorDetail())));
  return grpc::Status(code, message, rich.SerializeAsString());
}

}  // namespace vcd

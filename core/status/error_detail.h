// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_STATUS_ERROR_DETAIL_H_
#define VCD_CORE_STATUS_ERROR_DETAIL_H_

#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "proto/vcd/v1/error.pb.h"

namespace vcd {

// What programs need to know of an error beside its code: google.rpc.ErrorInfo in the making.
struct ErrorDetail {
  v1::ErrorReason reason = v1::ERROR_REASON_UNSPECIFIED;
  std::map<std::string, std::string> metadata;  // Such as `pod_id`, `field`, `state`.
};

// The status with the detail attached as a payload; an OK status stays as it is.
absl::Status WithDetail(absl::Status status, const ErrorDetail& detail);

// The status with one more metadata entry; one that is there stays. Without a detail there is nothing to add to.
absl::Status WithMetadata(absl::Status status, const std::string& key, const std::string& value);

// The attached detail, if any.
std::optional<ErrorDetail> DetailOf(const absl::Status& status);

// The same code and payloads with `context: ` before the message.
absl::Status Annotate(const absl::Status& status, absl::string_view context);

// kInvalidArgument naming the field: "`field`: problem".
absl::Status InvalidField(absl::string_view field, absl::string_view problem);

// An errno value as a status: "step: Permission denied", with the code that absl::ErrnoToStatus gives.
absl::Status PosixError(int error_number, absl::string_view step);

}  // namespace vcd

#endif  // VCD_CORE_STATUS_ERROR_DETAIL_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_MODEL_REQUEST_ID_H_
#define VCD_CORE_MODEL_REQUEST_ID_H_

#include <cstdint>
#include <initializer_list>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message_lite.h"

namespace vcd {

// Longest request id, in bytes.
inline constexpr int kMaxRequestIdBytes = 128;

// kInvalidArgument naming `request_id` unless it is empty (none) or up to 128 printable ASCII characters without
// blanks.
absl::Status ValidateRequestId(absl::string_view request_id);

// A number that tells a repetition of a request from another request with the same id. The same for the same parts in
// every run of every release, because it is kept on disk. Not a secret and not collision-proof against who wants one.
uint64_t RequestFingerprint(std::initializer_list<absl::string_view> parts);

// A message as a part of a fingerprint: the same bytes for equal messages, maps included.
std::string FingerprintPart(const google::protobuf::MessageLite& message);

// The id of what a request makes when the request leaves it open: a valid id, the same for the same request id, so that
// a request that is repeated after a crash finds what it made.
std::string IdOfRequest(absl::string_view request_id);

}  // namespace vcd

#endif  // VCD_CORE_MODEL_REQUEST_ID_H_

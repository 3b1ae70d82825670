// SPDX-License-Identifier: Apache-2.0
#include "core/agent/guest_error.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"

namespace vcd {

namespace {

// The code and the reason that belong to a refusal, and the field of the configuration that it is about, if any.
struct Meaning {
  absl::StatusCode code;
  v1::ErrorReason reason;
  const char* field;
};

Meaning MeaningOf(GuestError error, bool of_container) {
  switch (error) {
    case GuestError::kInvalid:
      return {absl::StatusCode::kInvalidArgument, v1::ERROR_REASON_INVALID_FIELD, "cmd"};
    case GuestError::kNotFound:
      return {absl::StatusCode::kNotFound,
              of_container ? v1::ERROR_REASON_CONTAINER_NOT_FOUND : v1::ERROR_REASON_PROCESS_NOT_FOUND, nullptr};
    case GuestError::kExists:
      return {absl::StatusCode::kAlreadyExists,
              of_container ? v1::ERROR_REASON_CONTAINER_EXISTS : v1::ERROR_REASON_WRONG_STATE, nullptr};
    case GuestError::kWrongState:
      return {absl::StatusCode::kFailedPrecondition, v1::ERROR_REASON_WRONG_STATE, nullptr};
    case GuestError::kCommandNotFound:
      return {absl::StatusCode::kInvalidArgument, v1::ERROR_REASON_COMMAND_NOT_FOUND, "cmd.args"};
    case GuestError::kCommandNotExecutable:
      return {absl::StatusCode::kInvalidArgument, v1::ERROR_REASON_COMMAND_NOT_EXECUTABLE, "cmd.args"};
    case GuestError::kUserNotFound:
      return {absl::StatusCode::kInvalidArgument, v1::ERROR_REASON_INVALID_FIELD, "cmd.user"};
    case GuestError::kPathNotFound:
      return {absl::StatusCode::kNotFound, v1::ERROR_REASON_PATH_NOT_FOUND, nullptr};
    case GuestError::kConnectionRefused:
      return {absl::StatusCode::kUnavailable, v1::ERROR_REASON_CONNECTION_REFUSED, nullptr};
    case GuestError::kUnreachable:
      return {absl::StatusCode::kUnavailable, v1::ERROR_REASON_UNSPECIFIED, nullptr};
    case GuestError::kHookFailed:
      return {absl::StatusCode::kFailedPrecondition, v1::ERROR_REASON_HOOK_FAILED, nullptr};
    case GuestError::kExhausted:
      return {absl::StatusCode::kResourceExhausted, v1::ERROR_REASON_UNSPECIFIED, nullptr};
    case GuestError::kSystem:
      break;
  }
  return {absl::StatusCode::kInternal, v1::ERROR_REASON_UNSPECIFIED, nullptr};
}

}  // namespace

absl::Status GuestErrorStatus(GuestError error, const ProcessKey& process, absl::string_view step,
                              absl::string_view words) {
  const Meaning meaning = MeaningOf(error, process.process_id.empty());
  absl::Status status(meaning.code,
                      absl::StrCat(DescribeProcess(process), ": ", step, ": ",
                                   words.empty() ? "the guest refused and did not say why" : CleanGuestText(words)));
  if (meaning.reason == v1::ERROR_REASON_UNSPECIFIED) return status;
  ErrorDetail detail{meaning.reason, {}};
  if (!process.container_id.empty()) detail.metadata["container_id"] = process.container_id;
  if (!process.process_id.empty()) detail.metadata["process_id"] = process.process_id;
  if (meaning.field != nullptr) detail.metadata["field"] = meaning.field;
  return WithDetail(std::move(status), detail);
}

absl::Status GuestGoneStatus(absl::string_view pod_id, absl::string_view why) {
  return WithDetail(absl::UnavailableError(absl::StrCat("guest of pod ", pod_id, ": ", why)),
                    {v1::ERROR_REASON_AGENT_UNAVAILABLE, {{"pod_id", std::string(pod_id)}}});
}

std::string DescribeProcess(const ProcessKey& process) {
  if (process.process_id.empty()) {
    return process.container_id.empty() ? "the guest" : absl::StrCat("container ", process.container_id);
  }
  if (process.container_id.empty()) return absl::StrCat("connection ", process.process_id);
  return absl::StrCat("process ", process.process_id, " of container ", process.container_id);
}

std::string CleanGuestText(absl::string_view text, size_t max_bytes) {
  std::string clean(text.substr(0, max_bytes));
  // A cut must not leave half a UTF-8 sequence: messages travel in protobuf strings.
  if (text.size() > max_bytes) {
    while (!clean.empty() && (static_cast<unsigned char>(text[clean.size()]) & 0xc0) == 0x80) clean.pop_back();
    clean += "…";
  }
  for (char& c : clean) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = c == '\n' || c == '\t' ? ' ' : '?';
  }
  return clean;
}

}  // namespace vcd

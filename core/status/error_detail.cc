// SPDX-License-Identifier: Apache-2.0
#include "core/status/error_detail.h"

#include <cstring>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace vcd {
namespace {

constexpr char kPayloadUrl[] = "vcd/error-detail";

// "reason \0 key \0 value \0 key \0 value": a payload is bytes, and this one never leaves the process.
absl::Cord Encode(const ErrorDetail& detail) {
  std::string text = absl::StrCat(static_cast<int>(detail.reason));
  for (const auto& [key, value] : detail.metadata) {
    text.push_back('\0');
    text.append(key);
    text.push_back('\0');
    text.append(value);
  }
  return absl::Cord(text);
}

}  // namespace

absl::Status WithDetail(absl::Status status, const ErrorDetail& detail) {
  if (!status.ok()) status.SetPayload(kPayloadUrl, Encode(detail));
  return status;
}

std::optional<ErrorDetail> DetailOf(const absl::Status& status) {
  absl::optional<absl::Cord> payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value()) return std::nullopt;
  const std::vector<std::string> parts = absl::StrSplit(std::string(*payload), '\0');
  ErrorDetail detail;
  int reason = 0;
  if (absl::SimpleAtoi(parts[0], &reason)) detail.reason = static_cast<v1::ErrorReason>(reason);
  for (size_t i = 1; i + 1 < parts.size(); i += 2) detail.metadata[parts[i]] = parts[i + 1];
  return detail;
}

absl::Status WithMetadata(absl::Status status, const std::string& key, const std::string& value) {
  if (status.ok()) return status;
  ErrorDetail detail = DetailOf(status).value_or(ErrorDetail());
  detail.metadata.emplace(key, value);
  return WithDetail(std::move(status), detail);
}

absl::Status Annotate(const absl::Status& status, absl::string_view context) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(), absl::StrCat(context, ": ", status.message()));
  status.ForEachPayload([&annotated](absl::string_view url, const absl::Cord& payload) {
    annotated.SetPayload(url, payload);
  });
  return annotated;
}

absl::Status InvalidField(absl::string_view field, absl::string_view problem) {
  return WithDetail(absl::InvalidArgumentError(absl::StrCat("`", field, "`: ", problem)),
                    {v1::ERROR_REASON_INVALID_FIELD, {{"field", std::string(field)}}});
}

absl::Status PosixError(int error_number, absl::string_view step) { return absl::ErrnoToStatus(error_number, step); }

}  // namespace vcd

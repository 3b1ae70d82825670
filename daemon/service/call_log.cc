// SPDX-License-Identifier: Apache-2.0
#include "daemon/service/call_log.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"

namespace vcd {

CallLog::CallLog(const char* method, CallKind kind, std::string pod_id)
    : method_(method), kind_(kind), pod_id_(std::move(pod_id)), began_(absl::Now()) {}

void CallLog::Ended(const absl::Status& status) const {
  Logger::Fields fields;
  if (!pod_id_.empty()) fields.emplace_back("pod_id", pod_id_);
  fields.emplace_back("method", method_);
  fields.emplace_back("code", absl::StatusCodeToString(status.code()));
  fields.emplace_back("ms", absl::StrCat(absl::ToInt64Milliseconds(absl::Now() - began_)));
  if (!status.ok()) fields.emplace_back("error", std::string(status.message()));
  const bool told = kind_ == CallKind::kMutation && !status.ok();
  Logger().Log(told ? LogLevel::kInfo : LogLevel::kDebug, told ? "call failed" : "call ended", fields);
}

}  // namespace vcd

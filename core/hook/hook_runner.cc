// SPDX-License-Identifier: Apache-2.0
#include "core/hook/hook_runner.h"

#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"

namespace vcd {

std::string HookName(const HookCall& call) {
  return absl::StrCat(call.container_id.empty() ? "" : absl::StrCat("container ", call.container_id, ": "), "hook ",
                      HookKindName(call.kind), "[", call.index, "] (", call.hook.path(), ")");
}

absl::Status HookFailure(const HookCall& call, absl::string_view problem) {
  ErrorDetail detail = {v1::ERROR_REASON_HOOK_FAILED, {{"hook", call.hook.path()}}};
  if (!call.container_id.empty()) detail.metadata["container_id"] = call.container_id;
  return WithDetail(absl::FailedPreconditionError(absl::StrCat(HookName(call), ": ", problem)), detail);
}

}  // namespace vcd

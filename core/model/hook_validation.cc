// SPDX-License-Identifier: Apache-2.0
#include "core/model/hook_validation.h"

#include <functional>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/hook/hook_kind.h"
#include "core/model/field_checks.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

using Hooks = google::protobuf::RepeatedPtrField<v1::Hook>;

absl::Status CheckHook(const v1::Hook& hook, const std::string& field) {
  VCD_RETURN_IF_ERROR(CheckAbsolutePath(absl::StrCat(field, ".path"), hook.path()));
  for (int i = 0; i < hook.args_size(); ++i) {
    VCD_RETURN_IF_ERROR(CheckText(Element(absl::StrCat(field, ".args"), i), hook.args(i), kMaxArgumentBytes));
  }
  for (int i = 0; i < hook.env_size(); ++i) {
    const std::string element = Element(absl::StrCat(field, ".env"), i);
    VCD_RETURN_IF_ERROR(CheckText(element, hook.env(i), kMaxArgumentBytes));
    const size_t equals = hook.env(i).find('=');
    if (equals == 0 || equals == std::string::npos) {
      return InvalidField(element,
                          absl::StrCat("\"", absl::CHexEscape(hook.env(i)), "\" is not of the form KEY=value"));
    }
  }
  return absl::OkStatus();
}

// Calls `check` with each list and its field.
absl::Status ForEachKind(const v1::Hooks& hooks, const std::string& field,
                         const std::function<absl::Status(const Hooks&, const std::string&)>& check) {
  for (const HookKind kind : kHookKinds) {
    VCD_RETURN_IF_ERROR(check(HooksOf(hooks, kind), absl::StrCat(field, ".", HookKindName(kind))));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckHooks(const v1::Hooks& hooks, const std::string& field) {
  return ForEachKind(hooks, field, [](const Hooks& list, const std::string& name) {
    if (list.size() > kMaxHooks) {
      return InvalidField(name, absl::StrCat("has ", list.size(), " hooks; at most ", kMaxHooks, " are possible"));
    }
    for (int i = 0; i < list.size(); ++i) VCD_RETURN_IF_ERROR(CheckHook(list[i], Element(name, i)));
    return absl::OkStatus();
  });
}

absl::Status CheckHookTimeouts(const v1::Hooks& hooks, absl::Duration most, const std::string& field) {
  return ForEachKind(hooks, field, [most](const Hooks& list, const std::string& name) {
    for (int i = 0; i < list.size(); ++i) {
      if (absl::Seconds(list[i].timeout_seconds()) <= most) continue;
      return InvalidField(
          absl::StrCat(Element(name, i), ".timeout_seconds"),
          absl::StrCat(list[i].timeout_seconds(), " is more than this daemon's `hooks.max_timeout_seconds`, ",
                       absl::ToInt64Seconds(most)));
    }
    return absl::OkStatus();
  });
}

}  // namespace vcd

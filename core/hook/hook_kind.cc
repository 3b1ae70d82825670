// SPDX-License-Identifier: Apache-2.0
#include "core/hook/hook_kind.h"

namespace vcd {

const char* HookKindName(HookKind kind) {
  switch (kind) {
    case HookKind::kPrestart:
      return "prestart";
    case HookKind::kCreateRuntime:
      return "create_runtime";
    case HookKind::kCreateContainer:
      return "create_container";
    case HookKind::kStartContainer:
      return "start_container";
    case HookKind::kPoststart:
      return "poststart";
    case HookKind::kPoststop:
      return "poststop";
  }
  return "prestart";
}

const google::protobuf::RepeatedPtrField<v1::Hook>& HooksOf(const v1::Hooks& hooks, HookKind kind) {
  switch (kind) {
    case HookKind::kPrestart:
      return hooks.prestart();
    case HookKind::kCreateRuntime:
      return hooks.create_runtime();
    case HookKind::kCreateContainer:
      return hooks.create_container();
    case HookKind::kStartContainer:
      return hooks.start_container();
    case HookKind::kPoststart:
      return hooks.poststart();
    case HookKind::kPoststop:
      break;
  }
  return hooks.poststop();
}

}  // namespace vcd

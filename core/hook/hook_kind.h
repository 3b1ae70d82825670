// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_HOOK_HOOK_KIND_H_
#define VCD_CORE_HOOK_HOOK_KIND_H_

#include "google/protobuf/repeated_field.h"
#include "proto/vcd/v1/hook.pb.h"

namespace vcd {

// When a hook runs, in the order of a life; see v1::Hooks.
enum class HookKind { kPrestart, kCreateRuntime, kCreateContainer, kStartContainer, kPoststart, kPoststop };
inline constexpr HookKind kHookKinds[] = {HookKind::kPrestart,        HookKind::kCreateRuntime,
                                          HookKind::kCreateContainer, HookKind::kStartContainer,
                                          HookKind::kPoststart,       HookKind::kPoststop};

// As in a configuration: "create_runtime".
const char* HookKindName(HookKind kind);

// Those of one kind.
const google::protobuf::RepeatedPtrField<v1::Hook>& HooksOf(const v1::Hooks& hooks, HookKind kind);

}  // namespace vcd

#endif  // VCD_CORE_HOOK_HOOK_KIND_H_

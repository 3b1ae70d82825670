// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_MODEL_HOOK_VALIDATION_H_
#define VCD_CORE_MODEL_HOOK_VALIDATION_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "proto/vcd/v1/hook.pb.h"

namespace vcd {

// Of each kind; more is a mistake, and each takes its time.
inline constexpr int kMaxHooks = 32;

// kInvalidArgument (INVALID_FIELD) naming what cannot be run: `config.hooks.prestart[0].path`.
absl::Status CheckHooks(const v1::Hooks& hooks, const std::string& field);

// The same for a limit beyond the daemon's own.
absl::Status CheckHookTimeouts(const v1::Hooks& hooks, absl::Duration most, const std::string& field);

}  // namespace vcd

#endif  // VCD_CORE_MODEL_HOOK_VALIDATION_H_

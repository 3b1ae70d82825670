// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_MODEL_IDS_H_
#define VCD_CORE_MODEL_IDS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace vcd {

// Longest id of a pod or container, in bytes.
inline constexpr int kMaxIdBytes = 64;

// Whether `id` is `[A-Za-z0-9][A-Za-z0-9_.-]{0,63}`: what may name pods, containers and the files of both.
bool IsValidId(absl::string_view id);

// kInvalidArgument naming `field`, with what is wrong, unless IsValidId.
absl::Status ValidateId(absl::string_view field, absl::string_view id);

// A new id: twelve random hexadecimal digits, the first of them a letter. Unique but for chance; who needs certainty
// looks and asks again.
std::string GenerateId();

}  // namespace vcd

#endif  // VCD_CORE_MODEL_IDS_H_

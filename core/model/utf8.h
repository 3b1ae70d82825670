// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_MODEL_UTF8_H_
#define VCD_CORE_MODEL_UTF8_H_

#include <string>

#include "absl/strings/string_view.h"

namespace vcd {

// The text with every byte that is no part of valid UTF-8 (and every NUL) replaced by U+FFFD: QEMU, guests and the
// kernel write what they like, and a protobuf string must be UTF-8.
std::string ToUtf8(absl::string_view text);

}  // namespace vcd

#endif  // VCD_CORE_MODEL_UTF8_H_

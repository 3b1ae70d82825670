// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_CONVERT_SAFE_TEXT_H_
#define VCD_DAEMON_CONVERT_SAFE_TEXT_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace vcd {

// Bytes that the text takes in a `grpc-message` trailer, which is percent-encoded.
size_t PercentEncodedSize(absl::string_view text);

// Valid UTF-8 cut down until it takes at most `max_encoded_bytes` percent-encoded. What goes is the middle: a message
// begins with the object and the step, and ends with the cause and what to try.
std::string CutMiddle(const std::string& text, size_t max_encoded_bytes);

}  // namespace vcd

#endif  // VCD_DAEMON_CONVERT_SAFE_TEXT_H_

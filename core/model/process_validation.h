// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_MODEL_PROCESS_VALIDATION_H_
#define VCD_CORE_MODEL_PROCESS_VALIDATION_H_

#include <string>

#include "absl/status/status.h"
#include "proto/vcd/v1/process.pb.h"

namespace vcd {

// The most bytes that the strings of a command, arguments and environment, may have together; and how many there may
// be. The kernel takes twice as much with the usual limit of the stack, and pointers count there too.
inline constexpr size_t kMaxCommandBytes = size_t{1} << 20;
inline constexpr int kMaxCommandStrings = 32768;

// Parts of what pod_validation.h promises.

absl::Status CheckCmd(const v1::Cmd& cmd, const std::string& field);

// That a terminal can have the size.
absl::Status CheckTerminalSize(const std::string& field, const v1::TerminalSize& size);

}  // namespace vcd

#endif  // VCD_CORE_MODEL_PROCESS_VALIDATION_H_

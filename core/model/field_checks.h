// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_MODEL_FIELD_CHECKS_H_
#define VCD_CORE_MODEL_FIELD_CHECKS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/map.h"

namespace vcd {

// Checks of single values that messages have in common; kInvalidArgument (INVALID_FIELD) naming `field`.

// Longest path that the kernel takes, without its closing NUL.
inline constexpr size_t kMaxPathBytes = 4095;
// Longest argument or `name=value` of execve(2) (MAX_ARG_STRLEN), without its closing NUL.
inline constexpr size_t kMaxArgumentBytes = 131071;

inline constexpr size_t kMaxNameBytes = 256;  // Users, groups, types, parameters.
inline constexpr size_t kMaxKeyBytes = 1024;

// What a request may hold at most, in bytes of its encoded form: the largest command (process_validation.h) and half as
// much for everything else. It fits into one frame of the link to the guest.
inline constexpr int kMaxConfigBytes = 3 << 19;

// Absolute, no longer than the kernel takes, without NUL.
absl::Status CheckAbsolutePath(const std::string& field, const std::string& path);

// The same, and not the root itself.
absl::Status CheckBelowRoot(const std::string& field, const std::string& path);

// As CheckAbsolutePath, or empty.
absl::Status CheckOptionalPath(const std::string& field, const std::string& path);

// No NUL, and at most `max_bytes` long.
absl::Status CheckText(const std::string& field, const std::string& text, size_t max_bytes);

// Not empty, at most `max_bytes`, without control characters and blanks.
absl::Status CheckWord(const std::string& field, const std::string& word, size_t max_bytes);

// Keys of annotations that are there or are to be added.
absl::Status ValidateAnnotations(const google::protobuf::Map<std::string, std::string>& annotations,
                                 const std::string& field = "annotations");

// kUnimplemented (NOT_IMPLEMENTED): "`field`: what is not implemented in this release".
absl::Status NotImplementedField(absl::string_view field, absl::string_view what);

// "field[index]".
std::string Element(absl::string_view field, int index);

}  // namespace vcd

#endif  // VCD_CORE_MODEL_FIELD_CHECKS_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_MODEL_SECCOMP_PROGRAM_H_
#define VCD_CORE_MODEL_SECCOMP_PROGRAM_H_

#include <string>

#include "absl/status/statusor.h"
#include "proto/vcd/v1/container.pb.h"

namespace vcd {

// Compiles a profile, with libseccomp, to a classic BPF program: struct sock_filter, one after the other, ready for
// seccomp(2) in a guest of this machine's architecture. kInvalidArgument (INVALID_FIELD) names the action, operator,
// architecture or system call that is wrong by its path below `field`, the path of the profile.
//
// System calls that libseccomp has never heard of, as profiles made for newer kernels name them, are left out of rules
// that allow them: they get the default action. In any other rule they are an error, as leaving them out would allow
// more than was asked for.
absl::StatusOr<std::string> CompileSeccompProfile(const v1::SeccompProfile& profile, const std::string& field);

}  // namespace vcd

#endif  // VCD_CORE_MODEL_SECCOMP_PROGRAM_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_MOUNT_NAMESPACE_H_
#define VCD_CORE_OS_MOUNT_NAMESPACE_H_

#include <functional>

#include "absl/status/status.h"

namespace vcd {

// Runs `work` in the mount namespace of the process that `pidfd` is of, where "/" is the root of that namespace: on a
// thread of its own, which ends with it, because a thread that has entered one is good for nothing else. Waits for it.
// Descriptors are those of this process, whatever namespace they came from. Needs root. kNotFound when the process has
// ended.
absl::Status InMountNamespaceOf(int pidfd, const std::function<absl::Status()>& work);

}  // namespace vcd

#endif  // VCD_CORE_OS_MOUNT_NAMESPACE_H_

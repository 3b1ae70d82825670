// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_OS_USER_NAMESPACE_H_
#define VCD_CORE_OS_USER_NAMESPACE_H_

#include <sys/types.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "core/os/unique_fd.h"

namespace vcd {

// A user namespace whose users and groups 0 … count - 1 are first_id … first_id + count - 1 of this host; there are no
// others in it. It lives as long as its descriptor, the processes that enter it (LaunchSpec::namespace_fds) and the
// mounts that it maps the ids of (mount_setattr(2), MOUNT_ATTR_IDMAP). Needs root.
absl::StatusOr<UniqueFd> MakeUserNamespace(uid_t first_id, uint32_t count);

}  // namespace vcd

#endif  // VCD_CORE_OS_USER_NAMESPACE_H_

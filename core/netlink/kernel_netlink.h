// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_NETLINK_KERNEL_NETLINK_H_
#define VCD_CORE_NETLINK_KERNEL_NETLINK_H_

#include <memory>

#include "absl/status/statusor.h"
#include "core/netlink/netlink.h"

namespace vcd {

// The kernel's own, over rtnetlink(7). Needs root. The namespace outlives it.
absl::StatusOr<std::unique_ptr<Netlink>> OpenKernelNetlink(const NetworkNamespace& netns);

}  // namespace vcd

#endif  // VCD_CORE_NETLINK_KERNEL_NETLINK_H_

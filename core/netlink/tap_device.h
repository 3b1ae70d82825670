// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_NETLINK_TAP_DEVICE_H_
#define VCD_CORE_NETLINK_TAP_DEVICE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/netns/network_namespace.h"
#include "core/os/unique_fd.h"

namespace vcd {

// Descriptors that move a machine's packets, one for each pair of queues. They do not block, and the packets begin with
// virtio's header (virtio_net_hdr).

// Of a tap: a new one, down, that is gone with the last descriptor; kFailedPrecondition when the name is taken. Or,
// when `existing`, of one that is there: one descriptor if it was not made for more; kFailedPrecondition while somebody
// has it.
absl::StatusOr<std::vector<UniqueFd>> OpenTapQueues(const NetworkNamespace& netns, const std::string& name,
                                                    uint32_t queues, bool existing);

// Of a macvtap that is there. Finds its device by a sysfs of the namespace, mounted nowhere, and opens it by a node of
// its own: nodes in /dev bear an index that an interface of another namespace may have too.
absl::StatusOr<std::vector<UniqueFd>> OpenMacvtapQueues(const NetworkNamespace& netns, const std::string& name,
                                                        int index, uint32_t queues);

}  // namespace vcd

#endif  // VCD_CORE_NETLINK_TAP_DEVICE_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_NETLINK_LINK_DUMP_H_
#define VCD_CORE_NETLINK_LINK_DUMP_H_

#include <vector>

#include "core/netlink/netlink.h"
#include "core/netlink/netlink_socket.h"

namespace vcd {

// The kernel's tables as Netlink tells of them. Each asks the kernel.
absl::StatusOr<std::vector<NetworkLink>> DumpLinks(NetlinkSocket& socket);
absl::StatusOr<std::vector<LinkAddress>> DumpAddresses(NetlinkSocket& socket);
absl::StatusOr<std::vector<LinkRoute>> DumpRoutes(NetlinkSocket& socket);
absl::StatusOr<std::vector<LinkNeighbor>> DumpNeighbors(NetlinkSocket& socket);
absl::StatusOr<std::vector<int>> DumpLinksWithIngress(NetlinkSocket& socket);

}  // namespace vcd

#endif  // VCD_CORE_NETLINK_LINK_DUMP_H_

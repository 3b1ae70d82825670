// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_ENDPOINT_ROUTE_ORDER_H_
#define VCD_CORE_ENDPOINT_ROUTE_ORDER_H_

#include <string>
#include <vector>

#include "core/netlink/netlink.h"

namespace vcd {

// Puts the routes of an interface that has those addresses (`10.88.0.7/16`) into an order in which a kernel takes them,
// one by one: first what is on the link, then what is behind gateways that are reachable by then, defaults last. Routes
// of one kind stay in the order in which they were; those whose gateway is never reachable come last.
void OrderRoutes(const std::vector<std::string>& addresses, std::vector<LinkRoute>& routes);

}  // namespace vcd

#endif  // VCD_CORE_ENDPOINT_ROUTE_ORDER_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_ENDPOINT_INTERFACE_JOIN_H_
#define VCD_CORE_ENDPOINT_INTERFACE_JOIN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/netlink/netlink.h"
#include "core/os/unique_fd.h"
#include "proto/vcd/state/v1/network_record.pb.h"

namespace vcd {

// How an interface of a namespace is joined to a machine, which gets its hardware address:
//
//   by traffic control   a tap; what comes in at each of the two is sent out at the other. The interface keeps all.
//   by a bridge          a tap, and a bridge that holds both. The interface gets another hardware address, and its
//                        addresses are taken away: they are the guest's, and nobody else may answer for them.
//   by macvtap           a macvtap on top of the interface, which changes as with a bridge.
//
// What a join makes is named after the interface's index.

// Whether it was made by a join.
bool IsMadeByJoin(const NetworkLink& link);

// The ways to try for what a configuration asks for, in order.
std::vector<v1::InterfaceJoin> JoinsFor(v1::InterfaceJoin asked);

// What must be on record before the join is made, so that it can be undone. `addresses` and `routes` are those of the
// namespace.
state::v1::JoinedInterface PlanJoin(const NetworkLink& link, v1::InterfaceJoin join,
                                    const std::vector<LinkAddress>& addresses, const std::vector<LinkRoute>& routes);

// Puts what the interface was on record: hardware address, addresses, routes.
void SaveInterface(const NetworkLink& link, const std::vector<LinkAddress>& addresses,
                   const std::vector<LinkRoute>& routes, state::v1::JoinedInterface* joined);

// Makes the interface what SaveInterface says, as far as it is not. Goes on where a step fails, and returns the first
// error; OK for one that is gone.
absl::Status RestoreInterface(Netlink& netlink, const state::v1::JoinedInterface& joined);

// Makes it, and returns the machine's end: a descriptor for each pair of queues. `spare_mac` is a hardware address for
// an interface that gives its own away. After an error some of it is there, for UndoJoin. kNotFound or kUnimplemented
// when the kernel has not what it takes.
absl::StatusOr<std::vector<UniqueFd>> MakeJoin(Netlink& netlink, const state::v1::JoinedInterface& joined,
                                               const std::string& spare_mac, uint32_t queues);

// Makes the interface what it was, however far the join came; the machine no longer has its end. OK for an interface
// that is gone. Goes on where a step fails, and returns the first error.
absl::Status UndoJoin(Netlink& netlink, const state::v1::JoinedInterface& joined);

// Whether the interface's addresses are with the guest alone.
bool LendsAddresses(const state::v1::JoinedInterface& joined);

// kFailedPrecondition when the interface no longer leads to the machine.
absl::Status CheckJoin(Netlink& netlink, const state::v1::JoinedInterface& joined);

}  // namespace vcd

#endif  // VCD_CORE_ENDPOINT_INTERFACE_JOIN_H_

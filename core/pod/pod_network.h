// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_POD_NETWORK_H_
#define VCD_CORE_POD_POD_NETWORK_H_

#include <string>

#include "absl/status/status.h"
#include "core/network/network.h"
#include "core/os/cancellation.h"
#include "core/pod/pod.h"
#include "proto/vcd/v1/network.pb.h"

namespace vcd {

// How the interfaces of a pod's network get into its machine and its guest. The caller holds the pod's lock
// exclusively; what takes a context blocks.
//
// A record that names an interface without a hardware address tells of one on its way in or out: its name is written
// before the first effect, and its address with the last. Recovery takes such a one away, however far it came.

// By which the machine knows the interface with that hardware address: NicSpec::id.
std::string NicId(const std::string& mac);

// Whether the interface is all there; see above.
bool IsJoined(const v1::PodInterface& interface);

// The interface of that name, joined or not; null when there is none.
const v1::PodInterface* FindInterface(const v1::NetworkStatus& network, const std::string& name);
// Notes it in the place of the one of its name.
void PutInterface(v1::NetworkStatus& network, const v1::PodInterface& interface);
void DropInterface(v1::NetworkStatus& network, const std::string& name);

// kUnimplemented, naming it, when the pod's hypervisor or agent has no network interfaces.
absl::Status CheckJoins(const Pod& pod);

// Gives the machine an interface, and has the guest set it up. Nothing of it stays behind on failure.
absl::Status JoinInterface(Pod& pod, PlannedInterface planned, const CallContext& context);

// All of a plan, into a machine that has just booted; a failure is for who ends that. Returns what there is then.
absl::StatusOr<v1::NetworkStatus> JoinNetwork(Pod& pod, NetworkPlan plan, const CallContext& context);

// Takes out what a machine that goes on from a checkpoint has of the network that it was on: its guest has nothing of
// it afterwards, and has said nothing on it here. A failure is for who ends the machine.
absl::Status LeaveFormerNetwork(Pod& pod, const CallContext& context);

// Takes an interface out of guest and machine. OK when it is in neither.
absl::Status LeaveInterface(Pod& pod, const v1::PodInterface& interface, const CallContext& context);

// The pod's configuration has that interface from now on, or no more. Nothing for a network that finds its interfaces
// in the namespace, whose configuration lists none.
absl::Status AddToConfig(Pod& pod, const v1::CniNetwork& network);
absl::Status DropFromConfig(Pod& pod, const std::string& interface_name);

// For a pod of an earlier daemon: the ports of the host that its network may still lead to it are its own. Logs one
// that is another's already, as when they were made by a vcd that did not look.
void ClaimPorts(const Pod& pod);

// For a pod that was adopted and whose guest answers: takes away what is on its way in or out, and says in the log when
// the network is not as it was.
void ReconcileNetwork(Pod& pod, const CallContext& context);

}  // namespace vcd

#endif  // VCD_CORE_POD_POD_NETWORK_H_

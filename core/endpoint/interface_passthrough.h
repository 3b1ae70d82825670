// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_ENDPOINT_INTERFACE_PASSTHROUGH_H_
#define VCD_CORE_ENDPOINT_INTERFACE_PASSTHROUGH_H_

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/device/pci_bus.h"
#include "core/netlink/netlink.h"
#include "proto/vcd/state/v1/network_record.pb.h"

namespace vcd {

// An interface of a namespace whose PCI device a machine gets: vfio-pci drives the device in the meantime, and the
// interface is gone. Afterwards its own driver makes it again, in the host's namespace, from where it is put back.

// The PCI devices of those interfaces, as far as they have one.
std::set<std::string> PciDevicesOf(Netlink& netlink, const std::vector<std::string>& interfaces);

// What must be on record before the device is given away; `given` are the PCI devices that the machine gets.
// kFailedPrecondition, with the next step, for an interface that has no PCI device, and as PciBus::CheckGroup.
absl::StatusOr<state::v1::JoinedInterface> PlanPassthrough(Netlink& netlink, const PciBus& bus, const NetworkLink& link,
                                                           const std::set<std::string>& given,
                                                           const std::vector<LinkAddress>& addresses,
                                                           const std::vector<LinkRoute>& routes);

// Gives the device back, however far giving it away came, and makes the interface what it was; the machine no longer
// has it. Without `netlink`, as the namespace is gone, the interface stays in the host's. OK for a device that is gone.
absl::Status UndoPassthrough(Netlink* netlink, const PciBus& bus, const state::v1::JoinedInterface& joined);

// kFailedPrecondition when the device is not with vfio-pci any more.
absl::Status CheckPassthrough(const PciBus& bus, const state::v1::JoinedInterface& joined);

}  // namespace vcd

#endif  // VCD_CORE_ENDPOINT_INTERFACE_PASSTHROUGH_H_

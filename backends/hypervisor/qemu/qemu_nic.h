// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_NIC_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_NIC_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/hypervisor/qemu/qmp_client.h"
#include "backends/hypervisor/qemu/saved_nic.h"
#include "core/hypervisor/nic.h"
#include "core/os/cancellation.h"

namespace vcd {

// How QEMU gets a network interface: descriptors with names, a `netdev` over them, and a virtio-net device on top. All
// of it is named after the interface's place for PCI devices, so that it can be found when no record tells of it.
// Calls block.

// kInvalidArgument for a description that contradicts itself.
absl::Status CheckNic(const NicSpec& nic);

// Makes all of it, the device of that id at that address (PciSlots::Address) last. The descriptors are closed here,
// whatever comes of it. What a failure leaves is for RemoveDevice and RemoveNicBackend.
absl::Status PlugNic(QmpClient& qmp, uint32_t slot, const std::string& device_id, const nlohmann::json& address,
                     NicSpec nic, const CallContext& context);

// What an image is to say of the device of that id, but for its `id` and `mac`, which QEMU was told: also of one that
// an earlier vcd plugged in. kFailedPrecondition for one that another program serves, as half of its state is there.
absl::StatusOr<SavedNic> DescribeNic(QmpClient& qmp, uint32_t slot, const std::string& device_id,
                                     const CallContext& context);

// Removes what PlugNic made at the place, however far it came, once the device of that id has gone. OK when there is
// nothing. `queues` are those that it was to have, 0 when that is not known.
absl::Status RemoveNicBackend(QmpClient& qmp, uint32_t slot, const std::string& device_id, size_t queues,
                              const CallContext& context);

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_NIC_H_

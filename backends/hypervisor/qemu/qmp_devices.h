// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_QMP_DEVICES_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_QMP_DEVICES_H_

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/hypervisor/qemu/qmp_client.h"
#include "core/os/cancellation.h"

// What all that is plugged into a QEMU has in common. Thread-safe as the client is; all of it blocks.
namespace vcd {

// For one QMP command: ten seconds at most. QEMU answers in milliseconds, and one that does not is sick.
CallContext Step(const CallContext& context);

// For undoing: not the caller's context, which may be what has ended.
CallContext CleanupContext();

// OK in place of QEMU's error that there is no such thing, which for most things has no class of its own.
absl::Status IgnoreMissing(const absl::Status& status);

// Unplugs a device and waits until the guest has let it go. OK when there is none, or it goes already.
absl::Status RemoveDevice(QmpClient& qmp, const std::string& id, const CallContext& context);

// Removes with `command` what `device`, unplugged before, stood on, once it is free. OK when there is none.
absl::Status RemoveBackend(QmpClient& qmp, const std::string& command, const nlohmann::json& arguments,
                           const std::string& device, const CallContext& context);

// Adds the ids of devices, the names of block nodes, the labels of character devices that begin with `prefix`.
absl::Status ListDevices(QmpClient& qmp, const std::string& prefix, std::set<std::string>* names,
                         const CallContext& context);
absl::Status ListBlockNodes(QmpClient& qmp, const std::string& prefix, std::set<std::string>* names,
                            const CallContext& context);
absl::Status ListCharacterDevices(QmpClient& qmp, const std::string& prefix, std::set<std::string>* names,
                                  const CallContext& context);

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_QMP_DEVICES_H_

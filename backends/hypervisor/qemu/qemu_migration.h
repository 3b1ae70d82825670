// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_MIGRATION_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_MIGRATION_H_

#include "absl/status/status.h"
#include "backends/hypervisor/qemu/qmp_client.h"
#include "core/os/cancellation.h"

// The state of a machine out of QEMU and into another: its migration. Memory that is shared is not in it
// (x-ignore-shared), all other is.
namespace vcd {

// Waits until QEMU has seen that nobody is connected to the agent's port any more: what is saved then meets whoever
// connects next as a new one. kFailedPrecondition when somebody stays.
absl::Status WaitUntilAgentPortIsFree(QmpClient& qmp, const CallContext& context);

// Writes the state of a machine that stands still to a file. kFailedPrecondition in QEMU's words when a device cannot
// be saved, and for a machine that was saved and has not gone on since. Nobody writes to the file any more when this
// returns.
absl::Status SaveDevices(QmpClient& qmp, int file, const CallContext& context);

// Ends the saving of an earlier daemon, should it be under way. OK when none is.
absl::Status CancelSaving(QmpClient& qmp);

// Reads it in a QEMU that was started to wait for that, from a descriptor that it inherited under that number. When it
// cannot, QEMU ends: kUnavailable.
absl::Status LoadDevices(QmpClient& qmp, int inherited_fd, const CallContext& context);

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_MIGRATION_H_

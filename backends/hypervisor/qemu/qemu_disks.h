// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_DISKS_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_DISKS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/hypervisor/qemu/qmp_client.h"
#include "core/hypervisor/hypervisor.h"
#include "core/os/cancellation.h"
#include "core/os/mutex.h"
#include "proto/vcd/state/v1/pod_state.pb.h"

namespace vcd {

// The disks of one running QEMU: LUNs of its virtio-scsi controller. A disk's LUN names everything that belongs to it
// in QEMU (device and node `disk-<lun>`, descriptor set 100 + lun), because QEMU limits the length of names, and so
// that what a crashed daemon left half done can be found. Thread-safe; calls block. `qmp` outlives it.
class QemuDisks {
 public:
  explicit QemuDisks(QmpClient& qmp) : qmp_(qmp) {}

  // Takes over what an earlier daemon attached, and removes from QEMU what it had not finished.
  absl::Status Adopt(const state::v1::VirtualMachine& record, const CallContext& context);

  // As VirtualMachine::AttachDisk and DetachDisk.
  absl::StatusOr<DiskAddress> Attach(const DiskSpec& disk, const CallContext& context);
  absl::Status Detach(const std::string& id, const CallContext& context);

  // Writes the disks into the record.
  void WriteTo(state::v1::VirtualMachine* record) const;

 private:
  struct Disk {
    std::string id;
    std::string path;
    // Being attached or detached by some call.
    bool busy = false;
    // Attached all the way, so that the record tells of it.
    bool attached = false;
  };

  absl::StatusOr<uint32_t> Reserve(const DiskSpec& disk);
  void Release(uint32_t lun);
  absl::Status Plug(uint32_t lun, const DiskSpec& disk, const CallContext& context);
  // Undoes Plug, however far it came. OK when there is nothing.
  absl::Status Unplug(uint32_t lun, const CallContext& context);

  QmpClient& qmp_;
  mutable Mutex mu_;
  std::map<uint32_t, Disk> disks_ ABSL_GUARDED_BY(mu_);  // By LUN.
};

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_DISKS_H_

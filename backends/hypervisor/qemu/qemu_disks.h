// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_DISKS_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_DISKS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/hypervisor/qemu/machine_options.h"
#include "backends/hypervisor/qemu/pci_slots.h"
#include "backends/hypervisor/qemu/qmp_client.h"
#include "core/hypervisor/hypervisor.h"
#include "core/os/cancellation.h"
#include "core/os/mutex.h"
#include "proto/vcd/state/v1/pod_state.pb.h"

namespace vcd {

// The disks of one running QEMU: LUNs of its virtio-scsi controller, or PCI devices (virtio-blk). A disk's place, its
// LUN or PCI slot, names everything that belongs to it in QEMU (device and node `disk-<place>`, descriptor set
// 100 + place), because QEMU limits the length of names, and so that what a crashed daemon left half done can be found.
// Thread-safe; calls block. `qmp` and `slots` outlive it.
class QemuDisks {
 public:
  // `driver` as in HypervisorConfig.block_device_driver; empty, of a machine that an earlier vcd made, is virtio-scsi.
  QemuDisks(QmpClient& qmp, PciSlots& slots, const std::string& driver)
      : qmp_(qmp), slots_(slots), on_pci_(driver == kVirtioBlk) {}

  // Takes over what an earlier daemon attached, and removes from QEMU what it had not finished.
  absl::Status Adopt(const state::v1::VirtualMachine& record, const CallContext& context);

  // Plugs in the disks that the machine of an image had, where they were, before the image is loaded. On failure the
  // machine is of no use.
  absl::Status Restore(const std::vector<state::v1::BlockDevice>& disks, const CallContext& context);

  // As VirtualMachine::AttachDisk and DetachDisk.
  absl::StatusOr<DiskAddress> Attach(const DiskSpec& disk, const CallContext& context);
  absl::Status Detach(const std::string& id, const CallContext& context);

  // What an operator knows a block node of this machine by: the disk's id and path.
  std::string Describe(const std::string& node) const;

  // Writes the disks into the record.
  void WriteTo(state::v1::VirtualMachine* record) const;

 private:
  struct Disk {
    std::string id;
    std::string path;
    bool writable = false;
    // Being attached or detached by some call.
    bool busy = false;
    // Attached all the way, so that the record tells of it.
    bool attached = false;
  };

  // Takes a place.
  absl::StatusOr<uint32_t> Reserve(const DiskSpec& disk);
  void Release(uint32_t place);
  // Takes the place of a disk on record, which is there, or about to be.
  absl::StatusOr<uint32_t> TakeRecorded(const state::v1::BlockDevice& device);
  absl::Status Plug(uint32_t place, const DiskSpec& disk, const CallContext& context);
  // Undoes Plug, however far it came. OK when there is nothing.
  absl::Status Unplug(uint32_t place, const CallContext& context);
  DiskAddress AddressOf(uint32_t place, const std::string& id) const;

  QmpClient& qmp_;
  PciSlots& slots_;
  const bool on_pci_;
  mutable Mutex mu_;
  std::map<uint32_t, Disk> disks_ ABSL_GUARDED_BY(mu_);  // By place.
};

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_DISKS_H_

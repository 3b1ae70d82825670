// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_PCI_DEVICES_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_PCI_DEVICES_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/hypervisor/qemu/pci_slots.h"
#include "backends/hypervisor/qemu/qmp_client.h"
#include "backends/hypervisor/qemu/saved_nic.h"
#include "core/hypervisor/nic.h"
#include "core/os/cancellation.h"
#include "core/os/mutex.h"
#include "proto/vcd/state/v1/pod_state.pb.h"

namespace vcd {

// The PCI devices of one running QEMU that are neither disks nor shares: network interfaces, and devices of the host
// that are passed through. As with disks, the place names what belongs to a device in QEMU: `pci-<slot>`. Thread-safe;
// calls block. `qmp` and `slots` outlive it.
class QemuPciDevices {
 public:
  QemuPciDevices(QmpClient& qmp, PciSlots& slots) : qmp_(qmp), slots_(slots) {}

  // Takes over what an earlier daemon plugged in, and removes from QEMU what it had not finished.
  absl::Status Adopt(const state::v1::VirtualMachine& record, const CallContext& context);

  // As VirtualMachine::AttachHostDevice.
  absl::Status AttachHostDevice(const std::string& id, const std::string& pci_address, const CallContext& context);
  // As VirtualMachine::AttachNic.
  absl::Status AttachNic(NicSpec nic, const CallContext& context);
  // Plugs in a network interface that the machine of an image had, where it was, before the image is loaded. On failure
  // the machine is of no use.
  absl::Status RestoreNic(uint32_t slot, NicSpec nic, const CallContext& context);
  // As VirtualMachine::DetachHostDevice and DetachNic.
  absl::Status Detach(const std::string& id, const CallContext& context);

  // Where the host has the device of that id; empty for one that is none of the host's.
  std::string HostAddressOf(const std::string& id) const;

  // What an image is to say of the devices. kFailedPrecondition, naming it, for one that is of this host.
  absl::StatusOr<std::vector<SavedNic>> DescribeForImage(const CallContext& context) const;

  // Writes the devices into the record.
  void WriteTo(state::v1::VirtualMachine* record) const;

 private:
  struct Device {
    state::v1::PciDevice record;
    // Being attached or detached by some call.
    bool busy = false;
    // Attached all the way, so that the record tells of it.
    bool attached = false;
  };

  // Takes a place for it, and runs `plug` there; undoes that when it fails, of as many queues as it has.
  absl::Status Attach(state::v1::PciDevice record, size_t queues, const std::function<absl::Status(uint32_t)>& plug);
  // Takes the place of one on record, which is there, or about to be.
  absl::Status TakeRecorded(const state::v1::PciDevice& device);
  // Takes a place. kAlreadyExists when a device has the id, or the device of the host is in the machine.
  absl::StatusOr<uint32_t> Reserve(state::v1::PciDevice device);
  void Release(uint32_t slot);
  // Undoes an attachment, however far it came. OK when there is nothing. `queues` as of RemoveNicBackend.
  absl::Status Unplug(uint32_t slot, size_t queues, const CallContext& context);
  // Of an attachment that left no device behind yet.
  absl::Status RemoveBegun(const CallContext& context);

  QmpClient& qmp_;
  PciSlots& slots_;
  mutable Mutex mu_;
  std::map<uint32_t, Device> devices_ ABSL_GUARDED_BY(mu_);  // By slot.
};

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_PCI_DEVICES_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_PCI_SLOTS_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_PCI_SLOTS_H_

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/os/mutex.h"

namespace vcd {

// The places of the device that the host's files are shared by, and of the one that memory comes and goes by: in every
// machine.
inline constexpr uint32_t kFileServerSlot = 1;
inline constexpr uint32_t kMemorySlot = 2;
// Those from here on are handed out, as many as HypervisorConfig.hotplug_slots says.
inline constexpr uint32_t kFirstFreeSlot = kMemorySlot + 1;
// All places of both machine types: what their first PCI bus has left beside the devices that are there at boot.
inline constexpr uint32_t kMaxHotplugSlots = 24 - kFirstFreeSlot + 1;

// Where a slot is, as arguments of QMP's device_add. `q35`: a root port each, `rp<slot>`, made at boot. `pc`: a place
// on the first bus, which takes devices while the machine runs; behind a bridge the small firmware leaves no room for
// their memory.
nlohmann::json PciSlotAddress(const std::string& machine_type, uint32_t slot);

// Which places of one running machine have a device. Thread-safe.
class PciSlots {
 public:
  PciSlots(std::string machine_type, uint32_t hotplug_slots)
      : machine_type_(std::move(machine_type)), hotplug_slots_(hotplug_slots) {}

  // The lowest free place. kResourceExhausted, naming the device and what to do, when there is none.
  absl::StatusOr<uint32_t> Take(const std::string& device);
  // The place that a record tells, for what an earlier daemon plugged in. kDataLoss when another device has it.
  absl::Status TakeRecorded(const std::string& device, uint32_t slot);
  // OK for one that is free.
  void Release(uint32_t slot);

  nlohmann::json Address(uint32_t slot) const { return PciSlotAddress(machine_type_, slot); }

 private:
  const std::string machine_type_;
  const uint32_t hotplug_slots_;
  mutable Mutex mu_;
  std::map<uint32_t, std::string> devices_ ABSL_GUARDED_BY(mu_);  // By place.
};

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_PCI_SLOTS_H_

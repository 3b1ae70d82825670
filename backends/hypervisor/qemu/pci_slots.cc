// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/pci_slots.h"

#include "absl/strings/str_cat.h"

namespace vcd {
namespace {

// Of the first bus of `pc`. What is below is taken at boot, and the bus has 32.
constexpr uint32_t kPcFirstAddress = 8;

}  // namespace

nlohmann::json PciSlotAddress(const std::string& machine_type, uint32_t slot) {
  if (machine_type == "pc") {
    return {{"bus", "pci.0"}, {"addr", absl::StrCat("0x", absl::Hex(kPcFirstAddress + slot - 1))}};
  }
  return {{"bus", absl::StrCat("rp", slot)}};
}

absl::StatusOr<uint32_t> PciSlots::Take(const std::string& device) {
  MutexLock lock(&mu_);
  for (uint32_t slot = kFirstFreeSlot; slot < kFirstFreeSlot + hotplug_slots_; ++slot) {
    if (devices_.emplace(slot, device).second) return slot;
  }
  return absl::ResourceExhaustedError(
      absl::StrCat(device, ": the machine has ", hotplug_slots_,
                   " places for PCI devices, and all are taken; take a device away, or ",
                   "give the pod more with hypervisor_config.hotplug_slots (at most ", kMaxHotplugSlots, ")"));
}

absl::Status PciSlots::TakeRecorded(const std::string& device, uint32_t slot) {
  MutexLock lock(&mu_);
  const auto [place, free] = devices_.emplace(slot, device);
  if (free || place->second == device) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("the record has ", device, " and ", place->second, " both at PCI slot ", slot));
}

void PciSlots::Release(uint32_t slot) {
  MutexLock lock(&mu_);
  devices_.erase(slot);
}

}  // namespace vcd

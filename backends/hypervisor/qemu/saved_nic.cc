// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/saved_nic.h"

#include "backends/hypervisor/qemu/pci_slots.h"

namespace vcd {

using nlohmann::json;

json EncodeSavedNic(const SavedNic& nic) {
  return {{"id", nic.id}, {"slot", nic.slot}, {"mac", nic.mac}, {"queues", nic.queues}, {"mtu", nic.mtu}};
}

std::optional<SavedNic> DecodeSavedNic(const json& json) {
  if (!json.is_object()) return std::nullopt;
  for (const char* name : {"id", "mac"}) {
    if (!json.contains(name) || !json[name].is_string() || json[name].get<std::string>().empty()) return std::nullopt;
  }
  for (const char* name : {"slot", "queues", "mtu"}) {
    if (!json.contains(name) || !json[name].is_number_unsigned() || json[name] > UINT16_MAX) return std::nullopt;
  }
  SavedNic nic{json["id"].get<std::string>(), json["slot"].get<uint32_t>(), json["mac"].get<std::string>(),
               json["queues"].get<uint32_t>(), json["mtu"].get<uint32_t>()};
  if (nic.slot < kFirstFreeSlot || nic.slot >= kFirstFreeSlot + kMaxHotplugSlots) return std::nullopt;
  if (nic.queues == 0 || nic.queues > kMaxNicQueues) return std::nullopt;
  return nic;
}

}  // namespace vcd

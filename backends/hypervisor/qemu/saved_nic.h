// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_SAVED_NIC_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_SAVED_NIC_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace vcd {

// Of a tap (drivers/net/tun.c, MAX_TAP_QUEUES): pairs of queues.
inline constexpr uint32_t kMaxNicQueues = 256;

// A network interface of a machine that an image is made of. QEMU loads its state only into a device of the same kind.
struct SavedNic {
  std::string id;  // NicSpec::id
  uint32_t slot = 0;
  std::string mac;
  uint32_t queues = 1;  // Pairs of them.
  uint32_t mtu = 0;     // NicSpec::mtu
};

nlohmann::json EncodeSavedNic(const SavedNic& nic);

// Nothing when it is something else, or no machine has such a one.
std::optional<SavedNic> DecodeSavedNic(const nlohmann::json& json);

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_SAVED_NIC_H_

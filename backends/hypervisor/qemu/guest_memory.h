// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_GUEST_MEMORY_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_GUEST_MEMORY_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace vcd {

// What the memory of a machine is made of: what it boots with and what comes later alike.
struct GuestMemory {
  bool shared = false;      // Other processes map it: vhost-user devices (virtiofs) need that.
  bool huge_pages = false;  // Of the host's, 2 MiB each.
  bool prealloc = false;    // Taken from the host at once.
};

// The memory backend as QMP's object-add takes it. `reserve`: the host must have promised all of it.
nlohmann::json MemoryBackend(const GuestMemory& memory, const std::string& id, uint64_t bytes, bool reserve);

// The same for the command line's -object.
std::string AsOption(const nlohmann::json& object);

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_GUEST_MEMORY_H_

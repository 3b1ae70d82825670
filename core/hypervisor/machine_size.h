// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_HYPERVISOR_MACHINE_SIZE_H_
#define VCD_CORE_HYPERVISOR_MACHINE_SIZE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "proto/vcd/v1/hypervisor.pb.h"

namespace vcd {

// With less no guest reaches its agent. Most kernels need more: how much depends on what a machine boots.
constexpr uint32_t kMinMemoryMib = 32;
// More is taken for a slip of the pen: 4 TiB.
constexpr uint32_t kMaxMemoryMib = 4u << 20;
constexpr uint32_t kMaxVcpus = 240;

// kInvalidArgument naming the field and what is possible, for a size that no machine can have: less than its guest
// needs, and the kernel sets some aside for each of the vCPUs that the machine can have.
absl::Status CheckMemory(const std::string& field, uint32_t memory_mib, uint32_t max_vcpus = 1,
                         uint32_t guest_needs_mib = kMinMemoryMib);
// The same of what was given before it is known what the machine boots: how much at most.
absl::Status CheckMostMemory(const std::string& field, uint32_t memory_mib);
absl::Status CheckVcpus(const std::string& field, uint32_t vcpus);

// kInvalidArgument naming the field when the memory or the vCPUs of a config with its defaults filled in make no sense.
absl::Status CheckMachineSize(const v1::HypervisorConfig& config, uint32_t guest_needs_mib = kMinMemoryMib);

}  // namespace vcd

#endif  // VCD_CORE_HYPERVISOR_MACHINE_SIZE_H_

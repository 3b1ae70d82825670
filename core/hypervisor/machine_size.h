// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_HYPERVISOR_MACHINE_SIZE_H_
#define VCD_CORE_HYPERVISOR_MACHINE_SIZE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "proto/vcd/v1/hypervisor.pb.h"

namespace vcd {

// With less the guest's image does not reach its agent: kernel and initramfs, which is there twice while it is
// unpacked, need 92 MiB in a machine that can have 16 vCPUs, q35 and pc alike.
constexpr uint32_t kMinMemoryMib = 96;
// More is taken for a slip of the pen: 4 TiB.
constexpr uint32_t kMaxMemoryMib = 4u << 20;
constexpr uint32_t kMaxVcpus = 240;

// The least memory of a machine that can have so many vCPUs, for each of which the kernel sets some aside at its start.
uint32_t LeastMemoryMib(uint32_t max_vcpus);

// kInvalidArgument naming the field and what is possible, for a size that no machine can have.
absl::Status CheckMemory(const std::string& field, uint32_t memory_mib, uint32_t max_vcpus = 1);
absl::Status CheckVcpus(const std::string& field, uint32_t vcpus);

// kInvalidArgument naming the field when the memory or the vCPUs of a config with its defaults filled in make no sense.
absl::Status CheckMachineSize(const v1::HypervisorConfig& config);

}  // namespace vcd

#endif  // VCD_CORE_HYPERVISOR_MACHINE_SIZE_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_HYPERVISOR_MACHINE_SIZE_H_
#define VCD_CORE_HYPERVISOR_MACHINE_SIZE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "proto/vcd/v1/hypervisor.pb.h"

namespace vcd {

// Below this a Linux guest does not reach its agent.
constexpr uint32_t kMinMemoryMib = 48;
// More is taken for a slip of the pen: 4 TiB.
constexpr uint32_t kMaxMemoryMib = 4u << 20;
constexpr uint32_t kMaxVcpus = 240;

// kInvalidArgument naming the field when the memory or the vCPUs of a config with its defaults filled in make no sense.
absl::Status CheckMachineSize(const v1::HypervisorConfig& config);

}  // namespace vcd

#endif  // VCD_CORE_HYPERVISOR_MACHINE_SIZE_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_MACHINE_OPTIONS_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_MACHINE_OPTIONS_H_

#include "absl/status/status.h"
#include "proto/vcd/v1/hypervisor.pb.h"

namespace vcd {

inline constexpr char kVirtioScsi[] = "virtio-scsi";
inline constexpr char kVirtioBlk[] = "virtio-blk";

// Fills in what a config says nothing of: machine driver, places for devices, and how far it can grow, which is at
// least what it boots with.
void FillMachineOptions(uint32_t max_vcpus, uint32_t max_memory_mib, v1::HypervisorConfig* config);

// kInvalidArgument naming the field, and what is known, when QEMU could not make such a machine or vcd not work with
// it. For a config that is filled in.
absl::Status CheckMachineOptions(const v1::HypervisorConfig& config);

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_MACHINE_OPTIONS_H_

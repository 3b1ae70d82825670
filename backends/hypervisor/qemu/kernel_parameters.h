// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_KERNEL_PARAMETERS_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_KERNEL_PARAMETERS_H_

#include <string>

#include "absl/status/status.h"
#include "proto/vcd/v1/hypervisor.pb.h"

namespace vcd {

// kInvalidArgument naming the field when a parameter is empty or would run into its neighbours.
absl::Status CheckKernelParameters(const v1::HypervisorConfig& config);

// The guest's kernel command line. The pod's own parameters come last, so that they win.
std::string KernelCommandLine(const v1::HypervisorConfig& config);

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_KERNEL_PARAMETERS_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_VM_USAGE_H_
#define VCD_CORE_POD_VM_USAGE_H_

#include <optional>

#include "proto/vcd/state/v1/pod_state.pb.h"
#include "proto/vcd/v1/stats.pb.h"

namespace vcd {

// What the processes of a machine, which its record names, use of this host. Nothing when there are none: a mock's, or
// one that has just ended. Blocks for some milliseconds.
std::optional<v1::VmStats> ReadVmUsage(const state::v1::VirtualMachine& record);

}  // namespace vcd

#endif  // VCD_CORE_POD_VM_USAGE_H_

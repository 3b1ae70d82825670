// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_MACHINE_RESIZE_H_
#define VCD_CORE_POD_MACHINE_RESIZE_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/hypervisor/hypervisor.h"
#include "core/os/cancellation.h"
#include "core/pod/pod.h"

namespace vcd {

// The steps that give the machine of a pod other vCPUs and memory. The caller holds the pod's lock exclusively; all of
// them block. Both sizes are whole: what the guest uses, not what is plugged in.

// What a configuration says.
VmSize SizeOf(const v1::HypervisorConfig& config);

// Takes machine and guest from one size to another. Returns what the machine has then, whose memory may be more by what
// its blocks are rounded to. On failure they are as before, as far as the guest lets memory go again.
absl::StatusOr<VmSize> ResizeMachine(Pod& pod, const VmSize& from, const VmSize& to, const CallContext& context);

// For a machine that was adopted: takes it to what its configuration says, which a crash in the middle of a resize may
// have kept it from. What cannot be had is in the log; the pod lives on with what it has.
void FinishResize(Pod& pod, const CallContext& context);

}  // namespace vcd

#endif  // VCD_CORE_POD_MACHINE_RESIZE_H_

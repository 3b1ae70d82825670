// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_GUEST_DIALS_H_
#define VCD_CORE_POD_GUEST_DIALS_H_

#include "absl/status/status.h"
#include "core/pod/pod.h"

namespace vcd {

// Connections to ports of a pod's guest (IsDial). All of these block on the guest.

// Connects, and keeps the process in the pod. The caller holds the pod's lock, shared at least; the pod runs.
absl::Status Dial(Pod& pod, const ProcessKey& key, const GuestDial& dial, const CallContext& context);

// Its caller is gone: it is ended unless it has, and forgotten then. What fails is logged, and tried again by
// EndAbandonedDials.
void EndDial(Pod& pod, ProcessEntry& dial);

// Ends those whose callers are gone: what an earlier daemon has left, or a guest that stood still.
void EndAbandonedDials(Pod& pod);

}  // namespace vcd

#endif  // VCD_CORE_POD_GUEST_DIALS_H_

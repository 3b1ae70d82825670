// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_CONTAINER_ATTACHMENTS_H_
#define VCD_CORE_POD_CONTAINER_ATTACHMENTS_H_

#include "absl/status/status.h"
#include "core/pod/pod.h"

namespace vcd {

// What containers have of the host in their pod's machine: disks, directories, PCI devices. All of it has an id out of
// one index, the lowest that is free, and is on record by it. The caller holds the pod's lock exclusively; all of this
// blocks.

// Brings to the machine what `spec.config` needs: root file system, mounts, devices. `container` gets the id of each as
// soon as it is there, so that Detach takes away what there is after a failure half way; `spec` gets where the guest
// finds it. `record` is the pod's, with its other containers and volumes.
absl::Status Attach(Pod& pod, const state::v1::PodRecord& record, state::v1::ContainerRecord& container,
                    GuestContainerSpec& spec, const CallContext& context);

// Takes away all that `container` has, which the guest uses no more. Goes on after a failed step and returns the first
// error; doing it again does no harm.
absl::Status Detach(Pod& pod, const state::v1::ContainerRecord& container, const CallContext& context);

// Whether it has anything; and that it has nothing any more.
bool HoldsAttachments(const state::v1::ContainerRecord& container);
void ForgetAttachments(state::v1::ContainerRecord& container);

// Shares the volumes of the pod with a machine that has just booted, and notes them in `record`. What was shared before
// a failure goes with the machine.
absl::Status ShareVolumes(Pod& pod, state::v1::PodRecord& record, const CallContext& context);

// Notes that the disks of the machine on record are this pod's, for a daemon that has just come.
void ClaimDisks(Pod& pod);

// Takes away what an adopted machine has and no record names: an undo that did not get through, or one that was cut
// off.
void ReleaseLeftovers(Pod& pod, const CallContext& context);

}  // namespace vcd

#endif  // VCD_CORE_POD_CONTAINER_ATTACHMENTS_H_

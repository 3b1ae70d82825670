// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_POD_CHECKPOINT_H_
#define VCD_CORE_POD_POD_CHECKPOINT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/asset/file_digest_cache.h"
#include "core/checkpoint/checkpoint.h"
#include "core/pod/pod.h"

namespace vcd {

// What a checkpoint can hold of a pod, and what is needed to make a pod of one. All of it blocks.

// kFailedPrecondition (NOT_IMPLEMENTED), naming what it is and the next step, for a pod with something that no
// checkpoint holds: directories of the host, block devices of the host, interfaces that are the host's hardware or
// another program's, passed through devices, hooks, and machines that were resized or that nobody saves. Otherwise the
// key of its machine (CheckpointKey). The caller holds the pod's lock.
absl::StatusOr<std::string> CheckCheckpointable(const Pod& pod, const CallContext& context);

// What makes a pod of that configuration have the same machine on another host (Hypervisor::ImageKey).
absl::StatusOr<std::string> CheckpointKey(const Hypervisor& hypervisor, const v1::PodConfig& config,
                                          const CallContext& context);

// The record as a checkpoint keeps it: nothing of this host.
state::v1::PodRecord RecordForCheckpoint(const state::v1::PodRecord& record);

// Whether a pod of that configuration can go on from the checkpoint here: CHECKPOINT_UNFIT, saying what differs.
// `config` is the checkpoint's, which is consistent (CheckConsistent), prepared.
absl::Status CheckRestorable(const Checkpoint& checkpoint, const std::string& directory, const v1::PodConfig& config,
                             const Hypervisor& hypervisor, FileDigestCache& digests, const CallContext& context);

// The record that a pod begins with which is made of a checkpoint; the pod that was paused goes on.
state::v1::PodRecord RecordForRestore(const Checkpoint& checkpoint, const std::string& pod_id);
v1::PodState StateAfterRestore(const Checkpoint& checkpoint);

}  // namespace vcd

#endif  // VCD_CORE_POD_POD_CHECKPOINT_H_

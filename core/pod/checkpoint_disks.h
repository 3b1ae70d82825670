// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_CHECKPOINT_DISKS_H_
#define VCD_CORE_POD_CHECKPOINT_DISKS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/asset/file_digest_cache.h"
#include "core/checkpoint/checkpoint.h"
#include "core/os/filesystem.h"
#include "core/pod/pod.h"

namespace vcd {

// The disks of a pod in its checkpoint. Those that it reads stay where they are, and must hold then what they hold now.
// Those that it writes to are copied: into the checkpoint while the machine stands still, and out of it for each pod
// that is made of it, whose configuration names the copy. It is in the pod's state directory, and goes with the pod.
// All of it blocks.

// Why the checkpoint of such a pod would lack something, naming it, and what to do; empty for one that can be made.
struct DiskProblem {
  std::string what;
  std::string next;
};
DiskProblem FindDiskProblem(const v1::PodConfig& config, const state::v1::PodRecord& record);

// Into a checkpoint, of a machine that stands still.
absl::Status KeepWrittenDisks(const state::v1::PodRecord& record, CheckpointWriter& writer, const CallContext& context);

// Whether there are any.
bool WritesDisks(const state::v1::PodRecord& record);

// How large its disks are, with their holes.
uint64_t DiskBytes(const state::v1::PodRecord& record);

// The disks that the pod reads, with sizes and digests.
absl::StatusOr<std::vector<CheckpointFile>> DescribeDisks(const state::v1::PodRecord& record, FileDigestCache& digests,
                                                          const CallContext& context);

// Whether record, configuration and manifest tell of the same disks: what is wrong, for people; empty when nothing is.
std::string FindDiskContradiction(const Checkpoint& checkpoint);

// Has configuration and record name the disks that are written as files of that directory.
void MoveWrittenDisks(const std::string& directory, v1::PodConfig* config, state::v1::PodRecord* record);

// Copies them out of the checkpoint to where its record names them. What was made is for the caller to remove.
// kResourceExhausted, with the next step, when there is no room.
absl::Status PlaceWrittenDisks(Filesystem& filesystem, const Checkpoint& checkpoint, const CallContext& context);

// An error as it is, or kResourceExhausted with the next step when the disk is full that `path` is, or was, to be on:
// the VMM tells of that as of any other failure, or does not say why.
absl::Status ExplainFullDisk(const absl::Status& status, const std::string& path, absl::string_view next);

// Makes the checkpoint's disks the pod's. kFailedPrecondition when somebody else has one.
absl::Status ClaimDisks(Pod& pod, const Checkpoint& checkpoint);

}  // namespace vcd

#endif  // VCD_CORE_POD_CHECKPOINT_DISKS_H_

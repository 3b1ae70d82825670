// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_CHECKPOINT_CHECKPOINT_MANIFEST_H_
#define VCD_CORE_CHECKPOINT_CHECKPOINT_MANIFEST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace vcd {

// A file as a manifest tells it.
struct CheckpointFile {
  std::string path;
  uint64_t bytes = 0;
  std::string digest;  // Lower-case hexadecimal.
};

// What a checkpoint says of itself.
struct CheckpointManifest {
  std::string id;  // Of its making; no two have one.
  std::string pod_id;
  std::string vcd_version;  // For people.
  std::string image_key;    // Hypervisor::ImageKey
  absl::Time created_at;
  bool stopped = false;  // The pod was stopped with it, and has done nothing since.
  // All others of the checkpoint, below its directory; SHA-256.
  std::vector<CheckpointFile> files;
  // What the pod reads and is not in it: disks that nobody writes to, by their paths on the host; SHA-512.
  std::vector<CheckpointFile> disks;
};

// JSON with a checksum (core/state/seal.h).
std::string EncodeManifest(const CheckpointManifest& manifest);

// Of bytes that anybody may have written. kDataLoss for what no release writes: files are `pod.json`, `record.json` and
// what is in `image/` and `disks/`, once each, and disks are absolute paths. kFailedPrecondition for a later format.
absl::StatusOr<CheckpointManifest> DecodeManifest(std::string text);

}  // namespace vcd

#endif  // VCD_CORE_CHECKPOINT_CHECKPOINT_MANIFEST_H_

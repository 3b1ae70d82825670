// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_CHECKPOINT_CHECKPOINT_H_
#define VCD_CORE_CHECKPOINT_CHECKPOINT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/checkpoint/checkpoint_directory.h"
#include "core/checkpoint/checkpoint_manifest.h"
#include "core/os/cancellation.h"
#include "core/os/file_lock.h"
#include "core/os/filesystem.h"
#include "core/os/unique_fd.h"
#include "proto/vcd/state/v1/pod_state.pb.h"
#include "proto/vcd/v1/pod.pb.h"

// A checkpoint of a pod: a directory of the host with
//
//   pod.json       the pod's configuration
//   record.json    its record: containers, disks, sizes
//   image/         its machine, as VirtualMachine::SaveImage wrote it
//   disks/         those that it writes to, by their ids, when it has any
//   manifest.json  what it is of, and size and SHA-256 of each of these files
//
// It is made as `<directory>.making-<id>` and gets its name when all of it is on the disk: a directory of that name is
// whole. All of this blocks on the disk.
namespace vcd {

struct Checkpoint {
  CheckpointManifest manifest;
  v1::PodConfig config;
  state::v1::PodRecord record;
  std::string image_dir;
  std::string disks_dir;
  // Those that were found to be what was written, by their names (DiskFile), whatever takes their places meanwhile.
  std::map<std::string, UniqueFd> disks;
};

// The name in a checkpoint of the disk of that id.
std::string DiskFile(absl::string_view id);

// Whether a checkpoint can be made there: kInvalidArgument (INVALID_FIELD, `directory`) unless it is an absolute path
// without detours that leads into none of `ours`, where vcd removes what it does not know; kAlreadyExists when there is
// something, kFailedPrecondition when there is no parent to make it in.
absl::Status CheckCheckpointPlace(Filesystem& filesystem, const std::string& directory,
                                  const std::vector<std::string>& ours);

// Where the checkpoint of that id is made.
std::string MakingPath(const std::string& directory, const std::string& id);

// What a daemon that has ended left of a making: the manifest when the checkpoint is whole and has its name; otherwise
// what there is of it is removed.
absl::StatusOr<std::optional<CheckpointManifest>> SettleMaking(Filesystem& filesystem, const std::string& making);

// Makes a checkpoint. What was made goes with this object, unless it was finished.
class CheckpointWriter {
 public:
  // Removes also what makers of that directory left that have died. kResourceExhausted when the disk is full.
  static absl::StatusOr<std::unique_ptr<CheckpointWriter>> Begin(Filesystem& filesystem, const std::string& directory,
                                                                 const std::string& id);
  ~CheckpointWriter();

  // Exists, and is empty: for SaveImage.
  std::string image_dir() const { return making_ + "/image"; }

  // Copies a disk into it, as it is now.
  absl::Status AddDisk(const std::string& id, const std::string& path, const CallContext& context);

  // Writes the rest and gives the checkpoint its name. `manifest` gets id and files. Nothing is there on failure.
  absl::Status Finish(CheckpointManifest manifest, const v1::PodConfig& config, const state::v1::PodRecord& record,
                      const CallContext& context);

 private:
  CheckpointWriter(Filesystem& filesystem, std::string directory, std::string id, FileLock lock)
      : filesystem_(filesystem),
        directory_(std::move(directory)),
        id_(std::move(id)),
        making_(MakingPath(directory_, id_)),
        lock_(std::move(lock)) {}

  absl::Status WriteAll(CheckpointManifest& manifest, const v1::PodConfig& config, const state::v1::PodRecord& record,
                        const CallContext& context);

  Filesystem& filesystem_;
  const std::string directory_;
  const std::string id_;
  const std::string making_;
  // Tells others that somebody is at it.
  FileLock lock_;
  bool finished_ = false;
};

// What the checkpoint says of itself. Errors as of ReadCheckpoint.
absl::StatusOr<CheckpointManifest> ReadCheckpointManifest(const std::string& directory);

// Reads and checks all of it, for as long as the context allows. Nothing in it is trusted, and no symbolic link
// followed. kNotFound when there is no such directory; otherwise with CHECKPOINT_UNFIT: kDataLoss naming the file that
// is damaged, missing or none of the checkpoint, kFailedPrecondition for what is no checkpoint, or one of a format that
// this release does not read.
absl::StatusOr<Checkpoint> ReadCheckpoint(const std::string& directory, const CallContext& context);

// Room that its files take, holes not counted; 0 when there is no checkpoint.
uint64_t CheckpointBytes(const std::string& directory);

}  // namespace vcd

#endif  // VCD_CORE_CHECKPOINT_CHECKPOINT_H_

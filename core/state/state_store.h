// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_STATE_STATE_STORE_H_
#define VCD_CORE_STATE_STATE_STORE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/os/filesystem.h"
#include "core/os/mutex.h"
#include "core/state/disk_reserve.h"
#include "core/state/state_layout.h"
#include "proto/vcd/state/v1/pod_state.pb.h"
#include "proto/vcd/v1/pod.pb.h"

namespace vcd {

// What the two roots hold.
struct StoredPods {
  // Pods with a directory in either root, sorted. Not every one has a configuration: see StateStore.
  std::vector<std::string> pod_ids;
  // Paths under a `pods` directory that are no directory, or whose name is no pod's, sorted; nobody touches them unless
  // one stands in the place of a pod that has its other directory.
  std::vector<std::string> foreign_paths;

  bool IsForeign(const std::string& path) const;
};

// What a record may take of the disk.
enum class DiskRoom {
  kFree,
  kReserve,  // Also what is kept for records of what ends or has happened, of which a full disk must keep none back.
};

// The records of pods on disk; each is replaced as a whole. Thread-safe across pods; calls for one pod need its lock.
// Calls block on the disk. Errors name the pod; those of writing carry STORAGE.
//
// What is there after a crash, and what it means. A pod exists when it has a config.json:
//
//   config.json  state.json
//   yes          yes         as the record and its intent say
//   yes          no          the host restarted: stopped
//   no           yes         half created (INTENT_CREATE) or half deleted: RemovePod finishes
//   no           no          directories without records, the same: RemovePod finishes
//
// So a pod is created by CreatePodDirectories, SaveRecord with its intent, SaveConfig, in this order; and RemovePod
// takes config.json away first, durably, and state.json last: were it the other way round, a crash between would leave
// a pod that looks like one from before a reboot, and it would come back.
class StateStore {
 public:
  // `filesystem` must outlive this.
  StateStore(Filesystem& filesystem, std::string state_dir, std::string run_dir);

  const StateLayout& layout() const { return layout_; }

  // Makes the roots, the directories and the reserves in them; the parents of the roots must be there. Once, before
  // anything else.
  absl::Status CreateRoots();

  absl::StatusOr<StoredPods> ListPodIds();

  // kNotFound; kDataLoss when it cannot be read or is another pod's. The pod's directory must be its own, not a link
  // (StoredPods::IsForeign).
  absl::StatusOr<v1::PodConfig> LoadConfig(const std::string& pod_id);
  // Durable when it returns OK. The directory must be there.
  absl::Status SaveConfig(const v1::PodConfig& config, DiskRoom room = DiskRoom::kFree);

  // kNotFound when the host was restarted, or the pod never was; kDataLoss when it cannot be read or is another pod's.
  absl::StatusOr<state::v1::PodRecord> LoadRecord(const std::string& pod_id);
  // Survives a crash of the daemon when it returns OK. The directory must be there.
  absl::Status SaveRecord(const state::v1::PodRecord& record, DiskRoom room = DiskRoom::kFree);

  // Removes what a crash left half written beside the records of a pod, and what stands where its run directory should:
  // a link there would lead what is written to somewhere else.
  absl::Status RemoveUnfinished(const std::string& pod_id, const StoredPods& stored);

  // Both directories of a pod, and that of its logs. OK when they are there.
  absl::Status CreatePodDirectories(const std::string& pod_id);

  // Removes all that is stored of a pod, logs, sockets and lock file among it. OK when there is nothing. After an error
  // or a crash, calling it again goes on.
  absl::Status RemovePod(const std::string& pod_id);

  // Copies both records of a pod, as far as they can be read, to <state_dir>/quarantine/<pod>-<n>/ with the lowest free
  // n, with `reason.txt`, so that a person can look at what was there whatever becomes of the pod; returns that
  // directory. One that holds the same records already does for it. A crash in between may leave one that is
  // incomplete.
  absl::StatusOr<std::string> Quarantine(const std::string& pod_id, const std::string& reason);

 private:
  // What a newer release wrote into the records of a pod; see core/state/state_codec.h.
  struct Unknown {
    std::string config;
    std::string record;
  };
  Unknown UnknownOf(const std::string& pod_id) const ABSL_LOCKS_EXCLUDED(mu_);
  void KeepUnknown(const std::string& pod_id, std::string Unknown::*part, const std::string& unknown)
      ABSL_LOCKS_EXCLUDED(mu_);

  absl::Status Save(DiskReserve& reserve, const std::string& path, const std::string& json, DiskRoom room);

  Filesystem& filesystem_;
  const StateLayout layout_;
  DiskReserve state_reserve_;
  DiskReserve run_reserve_;

  mutable Mutex mu_;
  // Of few pods, if any.
  std::map<std::string, Unknown> unknown_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_CORE_STATE_STATE_STORE_H_

// SPDX-License-Identifier: Apache-2.0
#include "core/state/state_store.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/model/ids.h"
#include "core/state/state_codec.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// Of each root: some records of an ordinary pod.
constexpr size_t kReserveBytes = 128 << 10;

// An error of writing, with what programs need to know of it.
absl::Status StorageError(const absl::Status& status, const std::string& pod_id) {
  return WithDetail(Annotate(status, absl::StrCat("records of pod ", pod_id)),
                    {v1::ERROR_REASON_STORAGE, {{"pod_id", pod_id}}});
}

// Of the files of a pod that is there: kNotFound would say that there is no such pod.
absl::Status RemovalError(const absl::Status& status, const std::string& pod_id) {
  if (!absl::IsNotFound(status)) return StorageError(status, pod_id);
  return StorageError(absl::FailedPreconditionError(status.message()), pod_id);
}

// A record must be of the pod whose directory it is in: one that
// somebody copied or renamed must not become a second VM with the disks of the first.
absl::Status CheckOwner(const std::string& path, const std::string& pod_id, const std::string& owner) {
  if (pod_id == owner) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(path, ": is of pod \"", owner, "\", not of ", pod_id));
}

}  // namespace

StateStore::StateStore(Filesystem& filesystem, std::string state_dir, std::string run_dir)
    : filesystem_(filesystem),
      layout_(std::move(state_dir), std::move(run_dir)),
      state_reserve_(filesystem, layout_.StateReserve(), kReserveBytes),
      run_reserve_(filesystem, layout_.RunReserve(), kReserveBytes) {}

absl::Status StateStore::CreateRoots() {
  VCD_RETURN_IF_ERROR(filesystem_.CreateDirectory(layout_.state_dir()));
  VCD_RETURN_IF_ERROR(filesystem_.SyncDirectory(ParentDirectory(layout_.state_dir())));
  VCD_RETURN_IF_ERROR(filesystem_.CreateDirectory(layout_.PodsStateDir()));
  VCD_RETURN_IF_ERROR(filesystem_.CreateDirectory(layout_.QuarantineDir()));
  VCD_RETURN_IF_ERROR(filesystem_.SyncDirectory(layout_.state_dir()));
  VCD_RETURN_IF_ERROR(filesystem_.CreateDirectory(layout_.run_dir()));
  VCD_RETURN_IF_ERROR(filesystem_.CreateDirectory(layout_.PodsRunDir()));
  state_reserve_.Fill();
  run_reserve_.Fill();
  return absl::OkStatus();
}

absl::StatusOr<StoredPods> StateStore::ListPodIds() {
  std::set<std::string> ids;
  StoredPods pods;
  for (const std::string& directory : {layout_.PodsStateDir(), layout_.PodsRunDir()}) {
    VCD_ASSIGN_OR_RETURN(const std::vector<std::string> names, filesystem_.ListDirectory(directory));
    for (const std::string& name : names) {
      const std::string path = absl::StrCat(directory, "/", name);
      // A link leads to what is somebody else's, most likely another pod's.
      const bool may_be_a_pods =
          IsValidId(name) && filesystem_.Look(path).value_or(FileKind::kDirectory) == FileKind::kDirectory;
      if (may_be_a_pods) {
        ids.insert(name);
      } else {
        pods.foreign_paths.push_back(path);
      }
    }
  }
  pods.pod_ids.assign(ids.begin(), ids.end());
  std::sort(pods.foreign_paths.begin(), pods.foreign_paths.end());
  return pods;
}

bool StoredPods::IsForeign(const std::string& path) const {
  return std::binary_search(foreign_paths.begin(), foreign_paths.end(), path);
}

absl::StatusOr<v1::PodConfig> StateStore::LoadConfig(const std::string& pod_id) {
  const std::string path = layout_.ConfigFile(pod_id);
  VCD_ASSIGN_OR_RETURN(const std::string json, filesystem_.ReadFile(path));
  std::string unknown;
  absl::StatusOr<v1::PodConfig> config = DecodePodConfig(json, &unknown);
  if (!config.ok()) return Annotate(config.status(), path);
  VCD_RETURN_IF_ERROR(CheckOwner(path, pod_id, config->id()));
  KeepUnknown(pod_id, &Unknown::config, unknown);
  return config;
}

absl::Status StateStore::Save(DiskReserve& reserve, const std::string& path, const std::string& json, DiskRoom room) {
  const auto replace = [&] { return filesystem_.ReplaceFile(path, json); };
  return room == DiskRoom::kReserve ? reserve.Write(replace) : replace();
}

absl::Status StateStore::SaveConfig(const v1::PodConfig& config, DiskRoom room) {
  VCD_ASSIGN_OR_RETURN(const std::string json, EncodePodConfig(config, UnknownOf(config.id()).config));
  return StorageError(Save(state_reserve_, layout_.ConfigFile(config.id()), json, room), config.id());
}

absl::StatusOr<state::v1::PodRecord> StateStore::LoadRecord(const std::string& pod_id) {
  const std::string path = layout_.StateFile(pod_id);
  VCD_ASSIGN_OR_RETURN(const std::string json, filesystem_.ReadFile(path));
  std::string unknown;
  absl::StatusOr<state::v1::PodRecord> record = DecodePodRecord(json, &unknown);
  if (!record.ok()) return Annotate(record.status(), path);
  VCD_RETURN_IF_ERROR(CheckOwner(path, pod_id, record->pod_id()));
  KeepUnknown(pod_id, &Unknown::record, unknown);
  return record;
}

absl::Status StateStore::SaveRecord(const state::v1::PodRecord& record, DiskRoom room) {
  VCD_ASSIGN_OR_RETURN(const std::string json, EncodePodRecord(record, UnknownOf(record.pod_id()).record));
  return StorageError(Save(run_reserve_, layout_.StateFile(record.pod_id()), json, room), record.pod_id());
}

absl::Status StateStore::RemoveUnfinished(const std::string& pod_id, const StoredPods& stored) {
  const std::string run_dir = layout_.RunDir(pod_id);
  if (stored.IsForeign(run_dir)) VCD_RETURN_IF_ERROR(StorageError(filesystem_.RemoveTree(run_dir), pod_id));
  for (const std::string& path : {layout_.ConfigFile(pod_id), layout_.StateFile(pod_id)}) {
    VCD_RETURN_IF_ERROR(StorageError(filesystem_.RemoveFile(TemporaryPath(path)), pod_id));
  }
  return absl::OkStatus();
}

absl::Status StateStore::CreatePodDirectories(const std::string& pod_id) {
  const absl::Status status = [&]() -> absl::Status {
    VCD_RETURN_IF_ERROR(filesystem_.CreateDirectory(layout_.RunDir(pod_id)));
    VCD_RETURN_IF_ERROR(filesystem_.CreateDirectory(layout_.PodStateDir(pod_id)));
    VCD_RETURN_IF_ERROR(filesystem_.CreateDirectory(layout_.LogDir(pod_id)));
    // The entries in the pod's own directories become durable with the records. The run directory's are synced too, for
    // those who put it on a disk.
    VCD_RETURN_IF_ERROR(filesystem_.SyncDirectory(layout_.PodsRunDir()));
    return filesystem_.SyncDirectory(layout_.PodsStateDir());
  }();
  return StorageError(status, pod_id);
}

absl::Status StateStore::RemovePod(const std::string& pod_id) {
  const std::string state_dir = layout_.PodStateDir(pod_id);
  const std::string run_dir = layout_.RunDir(pod_id);
  const absl::Status status = [&]() -> absl::Status {
    // From here on there is no pod: see the class comment for why config.json goes first and state.json last.
    VCD_ASSIGN_OR_RETURN(const FileKind place, filesystem_.Look(state_dir));
    if (place == FileKind::kDirectory) {
      // A tree, should somebody have put a directory in its place.
      VCD_RETURN_IF_ERROR(filesystem_.RemoveTree(layout_.ConfigFile(pod_id)));
      VCD_RETURN_IF_ERROR(filesystem_.SyncDirectory(state_dir));
    }
    if (place != FileKind::kNone) {
      // Of what somebody has put in its place that goes, and not what a link there leads to.
      VCD_RETURN_IF_ERROR(filesystem_.RemoveTree(state_dir));
      VCD_RETURN_IF_ERROR(filesystem_.SyncDirectory(layout_.PodsStateDir()));
    }
    VCD_RETURN_IF_ERROR(filesystem_.RemoveTree(run_dir));
    return filesystem_.SyncDirectory(layout_.PodsRunDir());
  }();
  if (status.ok()) {
    MutexLock lock(&mu_);
    unknown_.erase(pod_id);
  }
  return RemovalError(status, pod_id);
}

StateStore::Unknown StateStore::UnknownOf(const std::string& pod_id) const {
  MutexLock lock(&mu_);
  const auto found = unknown_.find(pod_id);
  return found == unknown_.end() ? Unknown() : found->second;
}

void StateStore::KeepUnknown(const std::string& pod_id, std::string Unknown::*part, const std::string& unknown) {
  MutexLock lock(&mu_);
  const auto found = unknown_.find(pod_id);
  if (unknown.empty() && found == unknown_.end()) return;
  unknown_[pod_id].*part = unknown;
}

absl::StatusOr<std::string> StateStore::Quarantine(const std::string& pod_id, const std::string& reason) {
  std::map<std::string, std::string> records;
  for (const auto& [name, path] :
       {std::pair("config.json", layout_.ConfigFile(pod_id)), std::pair("state.json", layout_.StateFile(pod_id))}) {
    absl::StatusOr<std::string> bytes = filesystem_.ReadFile(path);
    if (bytes.ok()) records[name] = *std::move(bytes);
  }
  const auto holds_the_same = [&](const std::string& directory) {
    return std::all_of(records.begin(), records.end(), [&](const auto& record) {
      const absl::StatusOr<std::string> kept = filesystem_.ReadFile(absl::StrCat(directory, "/", record.first));
      return kept.ok() && *kept == record.second;
    });
  };
  std::string directory;
  const absl::Status status = [&]() -> absl::Status {
    for (int n = 1;; ++n) {
      directory = absl::StrCat(layout_.QuarantineDir(), "/", pod_id, "-", n);
      VCD_ASSIGN_OR_RETURN(const FileKind taken, filesystem_.Look(directory));
      if (taken == FileKind::kNone) break;
      if (holds_the_same(directory)) return absl::OkStatus();
    }
    VCD_RETURN_IF_ERROR(filesystem_.CreateDirectory(directory));
    VCD_RETURN_IF_ERROR(filesystem_.ReplaceFile(directory + "/reason.txt", reason + "\n"));
    for (const auto& [name, bytes] : records) {
      VCD_RETURN_IF_ERROR(filesystem_.ReplaceFile(absl::StrCat(directory, "/", name), bytes));
    }
    return filesystem_.SyncDirectory(layout_.QuarantineDir());
  }();
  if (!status.ok()) return StorageError(Annotate(status, "put into quarantine"), pod_id);
  return directory;
}

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "core/pod/pod_registry.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"

namespace vcd {

absl::Status PodNotFound(const std::string& pod_id) {
  return WithDetail(
      absl::NotFoundError(absl::StrCat("pod ", pod_id, ": there is none; `vc ps -a` lists those that are")),
      {v1::ERROR_REASON_POD_NOT_FOUND, {{"pod_id", pod_id}}});
}

absl::Status PodIdTaken(const std::string& pod_id) {
  return WithDetail(absl::AlreadyExistsError(
                        absl::StrCat("pod ", pod_id, ": the id is taken; choose another, or delete that pod first")),
                    {v1::ERROR_REASON_POD_EXISTS, {{"pod_id", pod_id}}});
}

absl::Status PodRegistry::Add(const std::shared_ptr<Pod>& pod, std::shared_ptr<const PodSnapshot> snapshot) {
  const std::string& id = snapshot->id();
  MutexLock lock(&mu_);
  if (pods_.emplace(id, Entry{pod, snapshot}).second) return absl::OkStatus();
  return PodIdTaken(id);
}

void PodRegistry::Remove(const std::string& pod_id) {
  MutexLock lock(&mu_);
  pods_.erase(pod_id);
  ++revision_;
}

void PodRegistry::Publish(v1::Pod pod) {
  {
    MutexLock lock(&mu_);
    if (pods_.count(pod.id()) == 0) return;
    pod.set_revision(++revision_);
  }
  // Readers need not wait for this.
  auto snapshot = std::make_shared<const PodSnapshot>(pod);
  MutexLock lock(&mu_);
  auto found = pods_.find(pod.id());
  if (found != pods_.end()) found->second.snapshot = std::move(snapshot);
}

absl::StatusOr<std::shared_ptr<Pod>> PodRegistry::Find(const std::string& pod_id) const {
  MutexLock lock(&mu_);
  auto found = pods_.find(pod_id);
  if (found == pods_.end()) return PodNotFound(pod_id);
  return found->second.pod;
}

absl::StatusOr<std::shared_ptr<const PodSnapshot>> PodRegistry::Snapshot(const std::string& pod_id) const {
  MutexLock lock(&mu_);
  auto found = pods_.find(pod_id);
  if (found == pods_.end()) return PodNotFound(pod_id);
  return found->second.snapshot;
}

std::vector<std::shared_ptr<const PodSnapshot>> PodRegistry::SnapshotsAfter(const std::string& id, size_t most) const {
  MutexLock lock(&mu_);
  std::vector<std::shared_ptr<const PodSnapshot>> snapshots;
  snapshots.reserve(std::min(most, pods_.size()));
  for (auto next = pods_.upper_bound(id); next != pods_.end() && snapshots.size() < most; ++next) {
    snapshots.push_back(next->second.snapshot);
  }
  return snapshots;
}

std::vector<std::shared_ptr<const PodSnapshot>> PodRegistry::Snapshots() const {
  MutexLock lock(&mu_);
  std::vector<std::shared_ptr<const PodSnapshot>> snapshots;
  snapshots.reserve(pods_.size());
  for (const auto& [id, entry] : pods_) snapshots.push_back(entry.snapshot);
  return snapshots;
}

std::vector<std::shared_ptr<Pod>> PodRegistry::Pods() const {
  MutexLock lock(&mu_);
  std::vector<std::shared_ptr<Pod>> pods;
  pods.reserve(pods_.size());
  for (const auto& [id, entry] : pods_) pods.push_back(entry.pod);
  return pods;
}

}  // namespace vcd

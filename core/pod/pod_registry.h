// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_POD_REGISTRY_H_
#define VCD_CORE_POD_POD_REGISTRY_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/os/mutex.h"
#include "core/pod/pod_snapshot.h"
#include "proto/vcd/v1/pod.pb.h"

namespace vcd {

class Pod;

// kNotFound naming the pod.
absl::Status PodNotFound(const std::string& pod_id);
// kAlreadyExists (POD_EXISTS) naming it.
absl::Status PodIdTaken(const std::string& pod_id);

// Every pod the daemon knows, with the last published snapshot of each. Reading is copying pointers under a mutex that
// is never held across anything slow, so it takes the same time whether pods are well or hang. Thread-safe.
class PodRegistry {
 public:
  // Revisions count up from the one after this.
  explicit PodRegistry(uint64_t revision = 0) : revision_(revision) {}

  // kAlreadyExists (POD_EXISTS) when the id is taken.
  absl::Status Add(const std::shared_ptr<Pod>& pod, std::shared_ptr<const PodSnapshot> snapshot)
      ABSL_LOCKS_EXCLUDED(mu_);
  void Remove(const std::string& pod_id) ABSL_LOCKS_EXCLUDED(mu_);

  // Gives what is to be seen of a pod the next revision and puts it in place of its last snapshot. Nothing for a pod
  // that is not here. For one pod by one thread at a time.
  void Publish(v1::Pod pod) ABSL_LOCKS_EXCLUDED(mu_);

  // kNotFound (POD_NOT_FOUND).
  absl::StatusOr<std::shared_ptr<Pod>> Find(const std::string& pod_id) const ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<std::shared_ptr<const PodSnapshot>> Snapshot(const std::string& pod_id) const ABSL_LOCKS_EXCLUDED(mu_);

  // In order of id: those after `id`, at most so many.
  std::vector<std::shared_ptr<const PodSnapshot>> SnapshotsAfter(const std::string& id, size_t most) const
      ABSL_LOCKS_EXCLUDED(mu_);
  // All of them.
  std::vector<std::shared_ptr<const PodSnapshot>> Snapshots() const ABSL_LOCKS_EXCLUDED(mu_);
  std::vector<std::shared_ptr<Pod>> Pods() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Entry {
    std::shared_ptr<Pod> pod;
    std::shared_ptr<const PodSnapshot> snapshot;
  };
  mutable Mutex mu_;
  std::map<std::string, Entry> pods_ ABSL_GUARDED_BY(mu_);
  uint64_t revision_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vcd

#endif  // VCD_CORE_POD_POD_REGISTRY_H_

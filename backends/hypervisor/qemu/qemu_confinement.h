// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_CONFINEMENT_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_CONFINEMENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/hypervisor/qemu/qemu_options.h"
#include "core/confinement/host_cgroup.h"
#include "core/confinement/uid_blocks.h"
#include "core/os/process.h"
#include "core/os/unique_fd.h"

namespace vcd {

// What keeps the processes of pods apart on the host: users and a control group of each pod's own, found again by its
// run directory. Thread-safe; outlives the machines.
class QemuConfinement {
 public:
  explicit QemuConfinement(const ConfinementOptions& options);

  // What one pod's processes run with.
  struct Place {
    uint32_t first_uid = 0;       // Of its UidBlocks; 0: they run as vcd does.
    std::string cgroup;           // Empty: vcd's own.
    std::vector<UniqueFd> joins;  // LaunchSpec::cgroup_fds.
  };

  // Takes a place for the pod of that run directory. Give it back, also when this fails.
  absl::StatusOr<Place> Take(const std::string& run_dir, uint64_t guest_memory_bytes);

  // A place as a process of the pod launches into it; `place` outlives the spec.
  static void Join(const Place& place, LaunchSpec* launch);

  // How a helper of a pod that has a place joins its control group: LaunchSpec::cgroup_fds.
  absl::StatusOr<std::vector<UniqueFd>> JoinCgroup(const std::string& run_dir) const;

  // The guest may have so much from now on. OK when the pod is in no control group.
  absl::Status SetGuestMemory(const std::string& run_dir, uint64_t guest_memory_bytes) const;

  // Makes the node of a VFIO group the VMM's, who opens it by name; nothing where the VMM runs as vcd does. Until
  // TakeVfioGroup or GiveBack.
  absl::Status LendVfioGroup(const std::string& run_dir, const std::string& group);
  // Makes it root's again, unless another pod has it by now. What is open stays so.
  absl::Status TakeVfioGroup(const std::string& run_dir, const std::string& group);

  // What the pod had; all its processes have ended. OK when it had nothing.
  absl::Status GiveBack(const std::string& run_dir);

  // That the host's kernel ended one of its processes for want of memory, and what to do; empty when it did not. As
  // long as the place is not given back.
  std::string OutOfMemory(const std::string& run_dir) const;

 private:
  uint64_t MemoryLimit(uint64_t guest_memory_bytes) const;
  // The nodes of VFIO groups that are this user's, root's again; of one group alone unless that is empty.
  absl::Status TakeNodes(uint32_t uid, const std::string& group) const;

  const ConfinementOptions options_;
  std::optional<UidBlocks> uids_;
  std::optional<HostCgroups> cgroups_;
};

// A file of the host for a QEMU that may be another user: open, and readable for it by way of /proc/self/fd; a sealed
// copy in memory where the file's mode does not let everybody read it. A directory on the way that does not is no
// obstacle.
absl::StatusOr<UniqueFd> OpenForQemu(const std::string& path, bool another_user);

// The group through which another user may use that KVM device; nothing when all may. kFailedPrecondition, and what to
// do, when no group but root's may.
absl::StatusOr<std::vector<gid_t>> GroupsForKvm(const std::string& device = "/dev/kvm");

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_CONFINEMENT_H_

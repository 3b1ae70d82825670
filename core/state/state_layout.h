// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_STATE_STATE_LAYOUT_H_
#define VCD_CORE_STATE_STATE_LAYOUT_H_

#include <string>
#include <utility>

namespace vcd {

// Where things are:
//
//   <state_dir>/pods/<pod>/config.json           survives a reboot; a pod exists when it has this file
//                         /cni.json            networks that its CNI plugins have set up
//                         /logs/<container>.log, <container>.log.<n>
//              /quarantine/<pod>-<n>/            copies of what could not be read
//              /reserve                          room for what ends things on a full disk; one in <run_dir> too
//   <run_dir>/pods/<pod>/state.json              does not survive a reboot, and neither does the VM
//                       /network.json            how its machine is joined to its namespace
//                       /lock                    flock(2): keeps a second daemon and outside tools off the pod
//                       /ctl, /mon, /agent       sockets of the VM
//            /warm/<machine>/…                   a machine that waits for a pod, or had waited for the one that has it
//            /lock                               flock(2): one daemon per run directory
//
// Pure functions of names; ids must be valid (core/model/ids.h).
class StateLayout {
 public:
  StateLayout(std::string state_dir, std::string run_dir)
      : state_dir_(std::move(state_dir)), run_dir_(std::move(run_dir)) {}

  const std::string& state_dir() const { return state_dir_; }
  const std::string& run_dir() const { return run_dir_; }

  std::string PodsStateDir() const { return state_dir_ + "/pods"; }
  std::string PodsRunDir() const { return run_dir_ + "/pods"; }
  std::string QuarantineDir() const { return state_dir_ + "/quarantine"; }
  std::string StateReserve() const { return state_dir_ + "/reserve"; }
  std::string RunReserve() const { return run_dir_ + "/reserve"; }
  std::string DaemonLockFile() const { return run_dir_ + "/lock"; }

  std::string PodStateDir(const std::string& pod_id) const { return PodsStateDir() + "/" + pod_id; }
  std::string ConfigFile(const std::string& pod_id) const { return PodStateDir(pod_id) + "/config.json"; }
  std::string LogDir(const std::string& pod_id) const { return PodStateDir(pod_id) + "/logs"; }
  std::string ContainerLog(const std::string& pod_id, const std::string& container_id) const {
    return LogDir(pod_id) + "/" + container_id + ".log";
  }

  std::string RunDir(const std::string& pod_id) const { return PodsRunDir() + "/" + pod_id; }
  std::string StateFile(const std::string& pod_id) const { return RunDir(pod_id) + "/state.json"; }
  std::string LockFile(const std::string& pod_id) const { return RunDir(pod_id) + "/lock"; }

 private:
  std::string state_dir_;
  std::string run_dir_;
};

}  // namespace vcd

#endif  // VCD_CORE_STATE_STATE_LAYOUT_H_

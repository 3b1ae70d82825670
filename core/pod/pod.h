// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_POD_H_
#define VCD_CORE_POD_POD_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/os/completion.h"
#include "core/os/mutex.h"
#include "core/pod/event_allowance.h"
#include "core/pod/guest_link.h"
#include "core/pod/heartbeat.h"
#include "core/pod/packed.h"
#include "core/pod/pod_environment.h"
#include "core/pod/pod_record.h"
#include "core/pod/process_entry.h"
#include "core/pod/recovery_wait.h"
#include "proto/vcd/state/v1/pod_state.pb.h"
#include "proto/vcd/v1/pod.pb.h"

namespace vcd {

// One pod in memory: its configuration, its state record, its machine, its guest and its processes.
//
// Two things change it. Operations hold the pod's lock (core/lock); the machine and the session are replaced only by
// one that holds it exclusively. What happens in the guest comes in on the I/O thread: exits reach waiters there, and
// are recorded on the worker pool, in order, without the pod's lock, because a lock that hangs must not hide that a
// container has ended. Every change of the record therefore goes through Change, which writes it and publishes the
// snapshot.
class Pod : public GuestObserver, public HeartbeatSubject, public std::enable_shared_from_this<Pod> {
 public:
  // The configuration names backends that are there.
  Pod(const PodEnvironment& environment, const v1::PodConfig& config, state::v1::PodRecord record);

  const std::string& id() const { return id_; }
  std::string run_dir() const;
  // The name of its machine, when that had waited for it; else empty.
  std::string warm_machine() const ABSL_LOCKS_EXCLUDED(mu_);
  // The run directory of its machine: the pod's own, or that of one that had waited for it.
  std::string machine_dir() const ABSL_LOCKS_EXCLUDED(mu_);

  // What is now. The configuration is unpacked for whoever asks first, and shared for as long as somebody holds it.
  std::shared_ptr<const v1::PodConfig> config() const ABSL_LOCKS_EXCLUDED(mu_);
  state::v1::PodRecord record() const ABSL_LOCKS_EXCLUDED(mu_);
  v1::PodState state() const ABSL_LOCKS_EXCLUDED(mu_);
  v1::Pod View() const ABSL_LOCKS_EXCLUDED(mu_);
  // kNotFound (CONTAINER_NOT_FOUND).
  absl::StatusOr<v1::Container> ViewContainer(const std::string& container_id) const ABSL_LOCKS_EXCLUDED(mu_);

  // Changes the record, writes it and publishes what clients see. When it cannot be written nothing is changed
  // (STORAGE), unless `fact`: then it describes what has happened already, stays in memory and is written with the next
  // change. A state that may not follow the one of before (CheckMoves) is our own error: kInternal, and nothing is
  // changed, a fact or not. A fact is written on a full disk too (DiskRoom::kReserve). Blocks on the disk; not on the
  // I/O thread.
  absl::Status Change(const std::function<void(state::v1::PodRecord&)>& change, bool fact = false)
      ABSL_LOCKS_EXCLUDED(change_mu_, mu_);

  // As Change, for the intent of what ends something: it too may take the room that facts are kept.
  absl::Status ChangeToEnd(const std::function<void(state::v1::PodRecord&)>& change)
      ABSL_LOCKS_EXCLUDED(change_mu_, mu_);

  // As Change, unless `change` says that it changed nothing: then nothing is written.
  absl::Status ChangeIf(const std::function<bool(state::v1::PodRecord&)>& change, bool fact = false)
      ABSL_LOCKS_EXCLUDED(change_mu_, mu_);

  // As Change, but not on disk: for a pod that disappears, whose record says so and says nothing else of worth.
  void ChangeUnwritten(const std::function<void(state::v1::PodRecord&)>& change) ABSL_LOCKS_EXCLUDED(change_mu_, mu_);

  // Notes a request as done, for operations whose repetition would do no harm in between. Nothing for one without an
  // id.
  absl::Status RememberDone(const state::v1::Request& request) ABSL_LOCKS_EXCLUDED(change_mu_, mu_);

  // Writes the configuration that the pod was made with for the first time.
  absl::Status SaveConfig() ABSL_LOCKS_EXCLUDED(change_mu_, mu_);

  // As Change, for the configuration. Fails when that could not be read: nothing must be written in its place.
  absl::Status ChangeConfig(const std::function<void(v1::PodConfig&)>& change, DiskRoom room = DiskRoom::kFree)
      ABSL_LOCKS_EXCLUDED(change_mu_, mu_);

  // Publishes an event of this pod.
  void Tell(v1::EventType type, const std::string& container_id = "", const std::string& process_id = "",
            const std::optional<v1::ExitStatus>& exit_status = std::nullopt, const std::string& reason = "");

  // ---- For operations that hold the lock exclusively ----
  // The default one stands in for one that this daemon does not have: such a pod is `failed`, and nothing but taken
  // down.
  Hypervisor& hypervisor() const { return hypervisor_; }
  Agent& agent() const { return agent_; }
  Network& network() const { return network_; }
  // The pod as networks see it; `config` is its own.
  NetworkPod AsNetworkPod(const v1::PodConfig& config) const;
  VirtualMachine* machine() const { return machine_.get(); }
  // Takes a machine over and watches for its end.
  void SetMachine(std::unique_ptr<VirtualMachine> machine);
  // Why the machine has ended, waiting a moment for it: a guest falls silent just before its machine is seen to end.
  std::optional<std::string> MachineEnd(absl::Duration wait);
  // Stops watching it, and whether its guest talks, and gives it back.
  std::unique_ptr<VirtualMachine> TakeMachine();
  GuestLink& guest() { return *guest_; }
  GuestSession* session() const { return guest_->session(); }

  const PodEnvironment& environment() const { return environment_; }
  // Where to look for the host's devices and mounts.
  const HostTree& host() const { return environment_.options.host; }
  // Makes a disk of the host this pod's; `part` of the pod is for people. kFailedPrecondition when somebody else has
  // it.
  absl::StatusOr<DiskClaims::Claim> ClaimDisk(const HostDisk& disk, bool writable, const std::string& part);
  // Keeps the claim for as long as the machine has the disk of that id.
  void HoldDisk(const std::string& id, DiskClaims::Claim claim) { disks_.insert_or_assign(id, std::move(claim)); }
  void ReleaseDisk(const std::string& id) { disks_.erase(id); }
  void ReleaseDisks() { disks_.clear(); }

  // Whether the machine is paused, or about to be: a guest that stands still gives no sign of life.
  void SetStandsStill(bool stands_still) { stands_still_.store(stands_still); }

  // ---- Processes ----
  // Makes the entry of a first process, with its log, or of an exec; replaces one of before. `known` is what the guest
  // tells of one that was started before: the log of an earlier daemon goes on, and one that there is none of, as of a
  // pod that was restored, begins there. Null begins a run. Waits for the log's disk.
  absl::Status AddContainerProcess(const std::string& container_id, const GuestProcess* known,
                                   const CallContext& context) ABSL_LOCKS_EXCLUDED(mu_);
  void AddExecProcess(const GuestProcess& process) ABSL_LOCKS_EXCLUDED(mu_);
  // Null when there is none.
  std::shared_ptr<ProcessEntry> FindProcess(const ProcessKey& key) const ABSL_LOCKS_EXCLUDED(mu_);
  void RemoveProcess(const ProcessKey& key) ABSL_LOCKS_EXCLUDED(mu_);
  // Forgets a container's processes; waiters are told `end`.
  void RemoveProcesses(const std::string& container_id, const absl::StatusOr<v1::ExitStatus>& end)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Every process that has not ended is told that it has; execs are forgotten.
  void FinishProcesses(const absl::StatusOr<v1::ExitStatus>& end) ABSL_LOCKS_EXCLUDED(mu_);
  // Waits until all is in its log that a container, or with an empty id any, has printed; with the context's error,
  // naming the log, when that is too late.
  absl::Status AwaitLogs(const std::string& container_id, const CallContext& context) ABSL_LOCKS_EXCLUDED(mu_);
  // The same for as long as who ends something waits for that: what is not written by then is only in this daemon.
  void AwaitLogsPatiently(const std::string& container_id, const CallContext& context) ABSL_LOCKS_EXCLUDED(mu_);
  // Before the log of a container, or of all, is removed: waits for it as long, and has nothing written after.
  void DropLog(const std::string& container_id) ABSL_LOCKS_EXCLUDED(mu_);
  // Records now how containers have ended that their waiters know of already: who changes the pod next must not find
  // them running. Blocks on the disk.
  void RecordExits() ABSL_LOCKS_EXCLUDED(change_mu_, mu_);
  // The execs of a container that have ended, oldest first, beyond the last `keep`.
  std::vector<ProcessKey> EndedExecs(size_t keep) const ABSL_LOCKS_EXCLUDED(mu_);
  // The execs that are known, of one container or, when that is empty, of all; in order.
  std::vector<v1::ExecInfo> Execs(const std::string& container_id) const ABSL_LOCKS_EXCLUDED(mu_);
  // kNotFound (PROCESS_NOT_FOUND or CONTAINER_NOT_FOUND) naming it; kUnavailable (AGENT_UNAVAILABLE) during recovery.
  absl::Status ProcessNotFound(const ProcessKey& key) const ABSL_LOCKS_EXCLUDED(mu_);

  // ---- Recovery: from the daemon's start until it is known what runs in a pod that was there already ----
  void BeginRecovery() ABSL_LOCKS_EXCLUDED(mu_);
  // Lets those go on that wait for it, here; with the reason when it was cut short. Does nothing a second time.
  void EndRecovery(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);
  // Null when there is none.
  std::shared_ptr<RecoveryWait> recovery() const ABSL_LOCKS_EXCLUDED(mu_);
  // kUnavailable (AGENT_UNAVAILABLE) for who does not wait for it any longer.
  absl::Status StillRecovering() const;

  // ---- Connections to ports of the guest: processes of no container ----
  // Forgets one that has ended and whose caller is gone, in the guest too; not here when it is there still. Blocks on
  // the guest.
  void ForgetDial(const ProcessKey& key) ABSL_LOCKS_EXCLUDED(mu_);
  // Those whose callers are gone.
  std::vector<std::shared_ptr<ProcessEntry>> AbandonedDials() const ABSL_LOCKS_EXCLUDED(mu_);

  // Path of a container's log.
  std::string LogPath(const std::string& container_id) const;

  // That the configuration could not be read, and why; OK when it could. Set once, before anything else happens.
  void SetConfigDamage(absl::Status damage) { config_damage_ = std::move(damage); }
  const absl::Status& config_damage() const { return config_damage_; }

  // Called when the machine has ended, or the guest no longer talks, without our doing; set once. On the I/O thread.
  void OnLost(std::function<void(absl::Status why)> lost) { lost_ = std::move(lost); }

  // GuestObserver.
  void OnOutput(const ProcessKey& process, StdStream stream, uint64_t offset, std::string data) override;
  void OnProcessExit(const ProcessKey& process, const v1::ExitStatus& status) override;
  void OnOutOfMemory(const std::string& container_id, uint64_t kills) override;
  void OnMemoryPressure(double some_percent) override;
  void OnGuestLost(const absl::Status& why) override;

  // HeartbeatSubject.
  std::optional<uint64_t> AskForLife() override;
  void FoundSilent(absl::Duration time) override;

 private:
  // On the I/O thread.
  void OnTrouble(const VmTrouble& trouble);
  // Nothing when `entry` is no longer the one of its key: a container that was started again has not ended with the
  // status of its life before.
  void RecordExit(const std::shared_ptr<ProcessEntry>& entry, const v1::ExitStatus& status);
  // Whether the record may be replaced by this one; logs it when not.
  absl::Status CheckMove(const state::v1::PodRecord& to) const ABSL_LOCKS_EXCLUDED(mu_);
  std::shared_ptr<const v1::PodConfig> ConfigLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Of a container, or of all.
  std::vector<std::shared_ptr<ContainerLog>> Logs(const std::string& container_id) const ABSL_LOCKS_EXCLUDED(mu_);
  void PublishLocked(const v1::PodConfig& config, const state::v1::PodRecord& record)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mu_);
  absl::Status ChangeAndSave(const std::function<bool(state::v1::PodRecord&)>& change, bool fact, DiskRoom room)
      ABSL_LOCKS_EXCLUDED(change_mu_, mu_);
  // Publishes a changed record and puts it in place.
  void TakeLocked(state::v1::PodRecord record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mu_) ABSL_LOCKS_EXCLUDED(mu_);

  const PodEnvironment& environment_;
  const std::string id_;
  // Those of the configuration, which never changes there.
  Hypervisor& hypervisor_;
  Agent& agent_;
  Network& network_;
  const std::shared_ptr<GuestLink> guest_ = std::make_shared<GuestLink>();
  std::unique_ptr<VirtualMachine> machine_;
  std::map<std::string, DiskClaims::Claim> disks_;
  Completion<std::string> machine_end_;
  std::function<void(absl::Status)> lost_;
  absl::Status config_damage_;
  std::atomic<bool> stands_still_{false};
  std::atomic<bool> ending_{false};  // Somebody sees to its end: who took it, or was told its loss.
  // Of events that a guest causes as it likes; the I/O thread's.
  EventAllowance oom_events_{/*burst=*/16, /*refill=*/absl::Seconds(1)};
  EventAllowance disk_events_{/*burst=*/4, /*refill=*/absl::Seconds(10)};
  EventAllowance pressure_events_{/*burst=*/1, /*refill=*/absl::Seconds(10)};

  // Held from the change to the published snapshot, across the write: changes of one pod come one after the other.
  // Before mu_; never taken on the I/O thread.
  Mutex change_mu_;

  mutable Mutex mu_;
  Packed<v1::PodConfig> config_ ABSL_GUARDED_BY(mu_);
  // What config_ says, while somebody holds it.
  mutable std::weak_ptr<const v1::PodConfig> unpacked_config_ ABSL_GUARDED_BY(mu_);
  state::v1::PodRecord record_ ABSL_GUARDED_BY(mu_);
  std::map<ProcessKey, std::shared_ptr<ProcessEntry>> processes_ ABSL_GUARDED_BY(mu_);
  std::vector<ProcessKey> ended_execs_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<RecoveryWait> recovery_ ABSL_GUARDED_BY(mu_);
};

// Whether a process is a connection to a port of the guest.
inline bool IsDial(const ProcessKey& key) { return key.container_id.empty() && !key.process_id.empty(); }

// kNotFound (CONTAINER_NOT_FOUND) naming both.
absl::Status ContainerNotFound(const std::string& pod_id, const std::string& container_id);

// kUnavailable (VM_EXITED) for what cannot be had from a machine that has ended.
absl::Status VmExited(const std::string& pod_id, const std::string& reason);

// An error with the pod, and the step unless that is empty, before its message; a message that names the pod first
// already does so once.
absl::Status OfPod(const absl::Status& status, const std::string& pod_id, absl::string_view step = "");

}  // namespace vcd

#endif  // VCD_CORE_POD_POD_H_

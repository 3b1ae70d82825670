// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_LIVE_POD_RUNTIME_H_
#define VCD_CORE_POD_LIVE_POD_RUNTIME_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/asset/file_digest_cache.h"
#include "core/checkpoint/checkpoint.h"
#include "core/os/cancellation.h"
#include "core/os/file_lock.h"
#include "core/os/mutex.h"
#include "core/pod/heartbeat.h"
#include "core/pod/operation_clock.h"
#include "core/pod/pod.h"
#include "core/pod/pod_environment.h"
#include "core/pod/pod_lifecycle.h"
#include "core/pod/pod_runtime.h"
#include "core/pod/request_ledger.h"
#include "core/pod/worker_share.h"

namespace vcd {

// The PodRuntime over real backends and real records. Every mutation takes one path, Submit; signals alone go past it.
// The bodies are in pod_creation.cc, pod_operations.cc, container_operations.cc, process_operations.cc,
// resource_operations.cc, network_operations.cc, port_forward_operations.cc, template_operations.cc and
// checkpoint_operations.cc; what a pod's configuration may be is in pod_configuration.cc, and what Open does in
// pod_loading.cc and pod_recovery.cc.
class LivePodRuntime : public PodRuntime {
 public:
  LivePodRuntime(const PodRuntimeOptions& options, const Backends& backends, Filesystem& filesystem, IoThread& io,
                 WorkerPool& pool, EventBus& events);
  ~LivePodRuntime() override;

  // Loads every record and starts to reconcile; see PodRuntime::Open.
  absl::Status Recover();

  void WaitReconciled() override;
  void BeginShutdown() override;

  absl::StatusOr<std::shared_ptr<const PodSnapshot>> GetPod(const std::string& pod_id) const override;
  std::vector<std::shared_ptr<const PodSnapshot>> ListPods() const override;
  std::vector<std::shared_ptr<const PodSnapshot>> ListPodsAfter(const std::string& id, size_t most) const override;
  RuntimeLoad load() const override;

  void CreatePod(v1::PodConfig config, const MutationOptions& options, PodCallback done) override;
  void RunPod(v1::PodConfig config, const MutationOptions& options, PodCallback done) override;
  void StartPod(const std::string& pod_id, const MutationOptions& options, PodCallback done) override;
  void StopPod(const std::string& pod_id, const StopOptions& stop, const MutationOptions& options,
               PodCallback done) override;
  void PausePod(const std::string& pod_id, const MutationOptions& options, PodCallback done) override;
  void ResumePod(const std::string& pod_id, const MutationOptions& options, PodCallback done) override;
  void DeletePod(const std::string& pod_id, bool force, const MutationOptions& options,
                 std::function<void(absl::StatusOr<Released>)> done) override;
  void UpdatePod(const std::string& pod_id, const v1::VmResources& resources, const MutationOptions& options,
                 PodCallback done) override;
  void UpdatePodAnnotations(const std::string& pod_id, const std::map<std::string, std::string>& set,
                            const std::vector<std::string>& remove_keys, const MutationOptions& options,
                            PodCallback done) override;
  void AttachInterface(const std::string& pod_id, const v1::CniNetwork& network, const MutationOptions& options,
                       std::function<void(absl::StatusOr<AttachedInterface>)> done) override;
  void DetachInterface(const std::string& pod_id, const std::string& interface_name, const MutationOptions& options,
                       std::function<void(absl::StatusOr<DetachedInterface>)> done) override;

  void CheckpointPod(const std::string& pod_id, const std::string& directory, bool stop, const MutationOptions& options,
                     std::function<void(absl::StatusOr<CheckpointedPod>)> done) override;
  void RestorePod(const std::string& directory, const std::string& pod_id, const MutationOptions& options,
                  PodCallback done) override;

  std::vector<TemplateInfo> ListTemplates() const override;
  void PrepareTemplate(const v1::PodConfig& config, std::function<void(absl::StatusOr<TemplateInfo>)> done) override;
  void DeleteTemplate(const std::string& key,
                      std::function<void(absl::StatusOr<std::vector<std::string>>)> done) override;

  void CreateContainer(const std::string& pod_id, v1::ContainerConfig config, const MutationOptions& options,
                       ContainerCallback done) override;
  void StartContainer(const std::string& pod_id, const std::string& container_id, const MutationOptions& options,
                      ContainerCallback done) override;
  void StopContainer(const std::string& pod_id, const std::string& container_id, const StopOptions& stop,
                     const MutationOptions& options, ContainerCallback done) override;
  void DeleteContainer(const std::string& pod_id, const std::string& container_id, bool force,
                       const MutationOptions& options, DoneCallback done) override;

  void UpdateContainer(const std::string& pod_id, const std::string& container_id, const v1::ContainerResources& change,
                       const MutationOptions& options, ContainerCallback done) override;

  void ListProcesses(const std::string& pod_id, const std::string& container_id, absl::Time deadline,
                     ProcessesCallback done) override;
  void GetContainerStats(const std::string& pod_id, const std::string& container_id, absl::Time deadline,
                         ContainerStatsCallback done) override;
  void GetPodStats(const std::string& pod_id, absl::Time deadline, PodStatsCallback done) override;

  void AwaitRecovery(const std::string& pod_id, absl::Time deadline, DoneCallback done) override;
  void Exec(const std::string& pod_id, const std::string& container_id, v1::Cmd cmd, const MutationOptions& options,
            std::function<void(absl::StatusOr<ExecResult>)> done) override;
  absl::StatusOr<std::vector<v1::ExecInfo>> ListExecs(const std::string& pod_id,
                                                      const std::string& container_id) const override;
  void ExecArchive(const std::string& pod_id, const std::string& container_id, GuestArchive archive,
                   const MutationOptions& options, std::function<void(absl::StatusOr<ExecResult>)> done) override;
  void PortForward(const std::string& pod_id, const GuestDial& dial, absl::Time deadline,
                   std::function<void(absl::StatusOr<ProcessKey>)> done) override;
  void EndPortForward(const std::string& pod_id, const ProcessKey& process) override;
  void Signal(const std::string& pod_id, const ProcessKey& process, int signal, bool all,
              const MutationOptions& options, DoneCallback done) override;
  std::unique_ptr<WaitHandle> Wait(const std::string& pod_id, const ProcessKey& process,
                                   std::function<void(absl::StatusOr<v1::ExitStatus>)> done) override;
  absl::StatusOr<std::unique_ptr<OutputReader>> Attach(const std::string& pod_id, const ProcessKey& process,
                                                       OutputStart start) override;
  absl::StatusOr<std::unique_ptr<OutputReader>> ReadLogs(const std::string& pod_id, const std::string& container_id,
                                                         const LogSelection& selection) override;
  absl::StatusOr<std::unique_ptr<OutputReader>> ReadConsole(const std::string& pod_id,
                                                            const ConsoleSelection& selection) override;
  absl::StatusOr<std::unique_ptr<InputWriter>> OpenInput(const std::string& pod_id, const ProcessKey& process) override;
  bool HasWriter(const std::string& pod_id, const ProcessKey& process) const override;
  void CloseInput(const std::string& pod_id, const ProcessKey& process, absl::Time deadline,
                  DoneCallback done) override;
  void ResizeTerminal(const std::string& pod_id, const ProcessKey& process, const v1::TerminalSize& size,
                      const MutationOptions& options, DoneCallback done) override;

 private:
  using EnteredPlace = absl::StatusOr<std::unique_ptr<BootGate::Place>>;
  // What an operation's body gets beside the locked pod.
  struct Grant {
    PodLock& lock;
    CallContext context;  // How long it may take, and what cancels it.
    // When its operation boots; null when it does not. An error when it may not, or has waited for its turn in vain: to
    // be returned before anything is done.
    EnteredPlace place;
    state::v1::Request request;  // What to note in the record with the result.
    OperationClock& clock;
    absl::Time asked_until;  // The request's deadline, which ends no work but what may be left undone.
  };
  using Body = std::function<absl::Status(Pod&, Grant&)>;
  struct Operation {
    std::string name;  // For messages: "StopPod".
    MutationOptions options;
    absl::Duration ceiling;  // Of the body.
    LockMode mode = LockMode::kExclusive;
    uint64_t fingerprint = 0;  // Of the request, when it has an id.
    absl::Status preempt;      // Not OK: cancels what holds the lock with it, and goes before all others.
    // Asked with the lock held: what a machine needs that the operation starts. Must not block. Null: it starts none.
    std::function<std::optional<BootNeed>(const Pod&)> boots;
    // The body's first part, which needs no place: with a share it runs before there is one, so that nobody waits for
    // it who boots; otherwise there is nothing of the operation until it has its place. May be null.
    Body first;
    // Where that part, or the body of one that starts no machine, waits for its turn, as it keeps a worker for long.
    // Null: it does not.
    WorkerShare* share = nullptr;
    const char* metric = nullptr;           // What metrics call it; null: as `name`.
    std::shared_ptr<OperationClock> clock;  // Set by Dispatch.
  };

  // The one path of a mutation: joins the same request if that is under way, waits for the lock and a place, runs the
  // body unless the pod has done the request already, releases the lock, answers. `done` runs on the worker pool.
  void Submit(const std::string& pod_id, const Operation& operation, Body body, DoneCallback done);
  // The part of it behind the ledger.
  void Dispatch(const std::string& pod_id, Operation operation, Body body, DoneCallback done);
  // An operation that has its lock, on its way to its answer: AwaitTurn, RunFirst, AwaitPlace and RunBody, or some of
  // them. Each is called by the one before, or on a worker for it.
  struct Run;
  void AwaitTurn(const std::shared_ptr<Run>& run, const std::optional<BootNeed>& need);
  void RunFirst(const std::shared_ptr<Run>& run, const BootNeed& need);
  void AwaitPlace(const std::shared_ptr<Run>& run, const BootNeed& need);
  void RunBody(const std::shared_ptr<Run>& run, EnteredPlace place);
  // Runs `part` with what an operation gets, unless the pod has done the request already. That ends its place.
  absl::Status RunPart(Run& run, EnteredPlace place, const Body& part, bool* repeated);
  void Finish(Run& run, const absl::Status& status);
  // What the pod's machine needs to start: by a boot or from a checkpoint, or from a template where that is likely.
  static BootNeed NeedOf(const Pod& pod);
  BootNeed NeedOrCloneOf(const Pod& pod) const;
  // Submit for bodies whose answer is the pod, or a container of it.
  void SubmitForPod(const std::string& pod_id, const Operation& operation, const Body& body, PodCallback done);
  void SubmitForContainer(const std::string& pod_id, const std::string& container_id, const Operation& operation,
                          const Body& body, ContainerCallback done);
  // The first part of the path: null when the request joined another, and when it was refused, which `done` was told.
  DoneCallback Enter(const Operation& operation, DoneCallback done);
  // OK when the pod has not done the request; sets `repeated` when it has.
  static absl::Status CheckRepeated(const Pod& pod, const state::v1::Request& request, bool* repeated);
  static absl::Status ShuttingDown();

  // pod_configuration.cc
  absl::StatusOr<v1::PodConfig> Prepare(v1::PodConfig config, const CallContext& context) const;

  // pod_creation.cc
  void Create(v1::PodConfig config, bool start, const MutationOptions& options, PodCallback done);
  // The request has been entered.
  void Make(const v1::PodConfig& asked, bool start, const Operation& operation, const DoneCallback& done);
  std::shared_ptr<Pod> MakePod(const v1::PodConfig& config, state::v1::PodRecord record);
  // Adds a pod that is to be made, and makes it: the operation and `body` with its lock. `again` begins anew, for a
  // request that finds what an earlier attempt of its own had left.
  void Appear(const std::shared_ptr<Pod>& created, Operation operation, const Body& body,
              const std::function<void(const Operation&)>& again, const DoneCallback& done);
  // Appear, when there is a pod of that id.
  void RepeatMake(const std::string& pod_id, Operation operation, const absl::Status& taken,
                  const std::function<void(const Operation&)>& again, const DoneCallback& done);
  // Makes the pod, or nothing: boots it, or has it go on from a checkpoint. In two parts, of which each undoes all when
  // it fails.
  struct Creation {
    bool start = false;
    std::shared_ptr<const Checkpoint> checkpoint;  // May be null.
    std::optional<BringUp> up;                     // While it is under way.
  };
  absl::Status BeginCreation(Pod& pod, Creation& creation, Grant& grant);
  absl::Status FinishCreation(Pod& pod, Creation& creation, Grant& grant);
  // Its end with an error. `told`: there are events of the pod.
  absl::Status UndoCreation(Pod& pod, Creation& creation, const absl::Status& why, bool told, Grant& grant);

  // pod_operations.cc
  // In two parts, of which each undoes all when it fails; `up` is there between them when the pod boots.
  absl::Status BeginStart(Pod& pod, std::optional<BringUp>& up, Grant& grant);
  absl::Status FinishStart(Pod& pod, std::optional<BringUp>& up, Grant& grant);
  absl::Status UndoStart(Pod& pod, std::optional<BringUp>& up, const absl::Status& why, Grant& grant);
  absl::Status StopBody(Pod& pod, const StopOptions& stop, const Grant& grant);
  absl::Status PauseBody(Pod& pod, const Grant& grant);
  absl::Status ResumeBody(Pod& pod, const Grant& grant);
  absl::Status DeleteBody(Pod& pod, bool force, const Grant& grant, Released* released);
  // What poststop hooks may take in this operation; with `force` not longer than its caller waits.
  static CallContext PoststopLimits(const Grant& grant, bool force = false);
  // Of the pod's hooks when it is started, to be added to a ceiling; none when there is no such pod.
  absl::Duration HookTimeOf(const std::string& pod_id) const;
  // The pod's records are gone, and now all else that names it.
  void Forget(const std::string& pod_id);
  static absl::Status Preempted(const std::string& pod_id, const std::string& operation);
  // The machine has ended, or the guest is silent: the pod becomes `failed` and gives all up. On the I/O thread.
  void HandleLost(const std::string& pod_id, const absl::Status& why);

  // container_operations.cc
  absl::Status CreateContainerBody(Pod& pod, const v1::ContainerConfig& config, const Grant& grant);
  // One that was stopped has its process held again; `record` becomes `ready`. Undoes itself on failure.
  static absl::Status MakeAnew(Pod& pod, const v1::ContainerConfig& config, state::v1::ContainerRecord& record,
                               const Grant& grant);
  absl::Status StartContainerBody(Pod& pod, const std::string& container_id, const Grant& grant);
  absl::Status StopContainerBody(Pod& pod, const std::string& container_id, const StopOptions& stop,
                                 const Grant& grant);
  absl::Status DeleteContainerBody(Pod& pod, const std::string& container_id, bool force, const Grant& grant);
  // Lets a paused pod run for as long as `work` takes. `intend` says in the record what that is for; recovery finishes
  // it (docs/decisions/0005-force-in-a-paused-pod.md).
  static absl::Status RunPausedPod(Pod& pod, const std::function<void(state::v1::PodRecord&)>& intend,
                                   const std::function<absl::Status()>& work, const Grant& grant);

  // network_operations.cc
  // Fills in the interface's name.
  static absl::Status AttachInterfaceBody(Pod& pod, v1::CniNetwork* network, const Grant& grant);
  static absl::Status DetachInterfaceBody(Pod& pod, const std::string& name, bool* existed, const Grant& grant);

  // checkpoint_operations.cc
  absl::Status CheckpointBody(Pod& pod, const std::string& directory, bool stop, const Grant& grant);
  // The body's part up to a checkpoint that has its name; of `manifest`, key and `stopped` are known. `awake` becomes
  // false while the machine stands still, and true again unless the pod is paused or to be stopped.
  absl::Status WriteCheckpoint(Pod& pod, const std::string& directory, const std::string& id,
                               CheckpointManifest manifest, bool* awake, const CallContext& context);
  absl::Status StopAfterCheckpoint(Pod& pod, const std::string& directory, const state::v1::Request& request);
  // The request has been entered.
  void Restore(const std::string& directory, const std::string& pod_id, const Operation& operation,
               const DoneCallback& done);
  // Its part that reads the checkpoint, on a worker that it may keep.
  void RestoreInTurn(const std::string& directory, const std::string& pod_id, const Operation& operation,
                     const DoneCallback& done);

  // resource_operations.cc
  absl::Status UpdateBody(Pod& pod, const v1::VmResources& resources, const Grant& grant);
  absl::Status UpdateContainerBody(Pod& pod, const std::string& container_id, const v1::ContainerResources& change,
                                   const Grant& grant);
  // Submit for bodies that read something of the guest, with the lock shared.
  template <typename T>
  void SubmitLook(const std::string& name, const std::string& pod_id, absl::Time deadline,
                  std::function<absl::StatusOr<T>(Pod&, const CallContext&)> look,
                  std::function<void(absl::StatusOr<T>)> done);

  // process_operations.cc
  // Starts a process in a container and keeps it in the pod; of `process`, key and terminal are known. `start` asks the
  // guest for it.
  using StartProcess = std::function<absl::StatusOr<int32_t>(GuestSession& session, const CallContext& context)>;
  void SubmitExec(const std::string& pod_id, const GuestProcess& process, const Operation& operation,
                  StartProcess start, std::function<void(absl::StatusOr<ExecResult>)> done);
  absl::Status ExecBody(Pod& pod, const GuestProcess& process, const StartProcess& start, const CallContext& context);
  // Ends the copies of an earlier daemon, whose callers are gone.
  void EndCopies(Pod& pod, const CallContext& context);
  absl::Status SendSignal(const std::string& pod_id, const ProcessKey& process, int signal, bool all,
                          absl::Time deadline, const state::v1::Request& request);
  void ForgetOldExecs(Pod& pod, const CallContext& context);

  // pod_loading.cc
  void Load(const std::string& pod_id, const StoredPods& stored);
  // Once, when nothing else goes on.
  void LoadAll(const StoredPods& stored);
  // kFailedPrecondition when the configuration names a backend that is not in the catalogue.
  absl::Status CheckBackends(const v1::PodConfig& config) const;
  // Puts the records of a pod into quarantine and says, for people, what is wrong and what to do.
  std::string DescribeDamage(const std::string& pod_id, bool config_readable, const absl::Status& damage);

  // pod_recovery.cc
  // Begins to reconcile every pod that is there.
  void ReconcileAll();
  // What came of it, for metrics.
  RecoveryOutcome Reconcile(Pod& pod, Grant& grant);
  // Finishes or undoes what was under way and leaves no machine; nothing when there is one to adopt, or nothing to do.
  std::optional<RecoveryOutcome> SettleWithoutMachine(Pod& pod, const state::v1::PodRecord& record, const Grant& grant);
  // What was stopped because the host restarted is recorded as such from now on.
  void NoteReboot(Pod& pod, const state::v1::PodRecord& record, const Grant& grant);
  absl::Status AdoptPod(Pod& pod, const state::v1::PodRecord& record, Grant& grant);
  // Has the adopted machine run or stand still as the record will say, and speaks to its guest when it runs.
  absl::Status WakeAsRecorded(Pod& pod, const state::v1::PodRecord& record, const CallContext& context);
  absl::Status FinishContainerStart(Pod& pod, const state::v1::Operation& under_way, const Grant& grant);
  absl::Status FinishContainerEnd(Pod& pod, const state::v1::Operation& under_way, const CallContext& context);
  // Finishes or undoes what an earlier daemon had begun; true when the checkpoint is there.
  std::optional<CheckpointManifest> SettleCheckpoint(Pod& pod, const state::v1::Operation& under_way);
  // What could not be adopted: ended, or out of reach.
  RecoveryOutcome Abandon(Pod& pod, const state::v1::PodRecord& record, const absl::Status& why, const Grant& grant);
  void Vanish(Pod& pod, const Grant& grant);
  void DropUnfinishedContainer(Pod& pod, const state::v1::ContainerRecord& container, const Grant& grant);

  const PodRuntimeOptions options_;
  NullRuntimeMetrics no_metrics_;
  RuntimeMetrics& metrics_;
  const Backends& backends_;
  Filesystem& filesystem_;
  IoThread& io_;
  // Operations, reconciliations, and what pods do by themselves: all of it ends before the runtime does.
  BackgroundWork work_;
  EventBus& events_;
  StateStore store_;
  // Keeps a second daemon off; from Recover to the end.
  std::optional<FileLock> daemon_lock_;
  PodRegistry registry_;
  Heartbeat heartbeat_;
  RequestLedger ledger_;
  BootGate boot_gate_;
  // Of pods that run hooks before they wait there, and of those of which checkpoints are made, or that are.
  WorkerShare hook_share_;
  WorkerShare checkpoint_share_;
  PodLockTable locks_;
  DiskClaims disks_;
  PortClaims ports_;
  // Of the disks of checkpoints.
  FileDigestCache disk_digests_;
  // For what is done without a pod's lock.
  Cancellation leaving_;
  LogThreads log_threads_;
  Templates templates_;
  const PodEnvironment environment_;

  mutable Mutex mu_;
  CondVar reconciled_;
  absl::Time opened_;  // By Recover.
  size_t reconciling_ ABSL_GUARDED_BY(mu_) = 0;
  bool shutting_down_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace vcd

#endif  // VCD_CORE_POD_LIVE_POD_RUNTIME_H_

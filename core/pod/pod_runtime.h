// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_POD_RUNTIME_H_
#define VCD_CORE_POD_POD_RUNTIME_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/agent/agent.h"
#include "core/device/host_tree.h"
#include "core/event/event_bus.h"
#include "core/hook/hook_runner.h"
#include "core/hypervisor/hypervisor.h"
#include "core/metric/runtime_metrics.h"
#include "core/network/network.h"
#include "core/os/filesystem.h"
#include "core/os/host_memory.h"
#include "core/os/io_thread.h"
#include "core/os/worker_pool.h"
#include "core/pod/boot_gate.h"
#include "core/pod/pod_snapshot.h"
#include "core/pod/process_input.h"
#include "core/pod/process_output.h"
#include "core/template/template_info.h"
#include "core/template/template_options.h"
#include "proto/vcd/v1/container.pb.h"
#include "proto/vcd/v1/pod.pb.h"
#include "proto/vcd/v1/process.pb.h"
#include "proto/vcd/v1/stats.pb.h"

namespace vcd {

// The ways of doing things that pods may name.
struct Backends {
  std::map<std::string, std::unique_ptr<Hypervisor>> hypervisors;
  std::map<std::string, std::unique_ptr<Agent>> agents;
  std::map<std::string, std::unique_ptr<Network>> networks;
  // What an empty name takes; each is in its map.
  std::string default_hypervisor;
  std::string default_agent;
  std::string default_network;
};

class LogDisk;

// How much of a container's output is kept.
struct LogBounds {
  uint64_t max_file_bytes = 10 << 20;  // A log goes on in a new file beyond this, unless a single record is longer.
  uint32_t max_files = 5;              // The one that is written included; at least 2.
};

// How long hooks may take.
struct HookLimits {
  absl::Duration timeout = absl::Seconds(30);  // Of one that says nothing.
  absl::Duration most = absl::Seconds(300);    // What one may say.
};

struct PodRuntimeOptions {
  std::string state_dir;  // Survives a reboot.
  std::string run_dir;    // Does not.
  uint32_t max_parallel_boots = 2;
  // What memory the host has now, which bounds the machines that start at once (BootLimits). Null: it does not.
  std::function<std::optional<HostMemory>()> host_memory;
  uint64_t memory_reserve_bytes = uint64_t{256} << 20;
  absl::Duration boot_timeout = absl::Seconds(60);  // From exec of the VMM to the agent's answer.
  absl::Duration stop_grace = absl::Seconds(10);    // Between SIGTERM and SIGKILL.
  // How far readers of an exec may be apart (ExecOutputLimits).
  uint64_t exec_backlog_bytes = 1 << 20;
  absl::Duration slow_reader_patience = absl::Seconds(10);
  LogBounds container_logs;
  // How long who stops or deletes a container waits for what it printed to be written.
  absl::Duration log_patience = absl::Seconds(5);
  LogDisk* log_disk = nullptr;  // For tests; null: the host's. Outlives the runtime.
  // A guest that gives no sign of life for `heartbeat_timeout` is lost; it is asked every `heartbeat_interval`. Zero
  // never asks.
  absl::Duration heartbeat_interval = absl::Seconds(10);
  absl::Duration heartbeat_timeout = absl::Seconds(30);
  TemplateOptions templates;
  HookLimits hook_limits;
  HookRunner* hooks = nullptr;        // Outlives the runtime. Null: pods that have hooks are refused.
  std::string version;                // Of vcd, for those who look into a checkpoint.
  HostTree host;                      // Where to look for devices and mounts.
  RuntimeMetrics* metrics = nullptr;  // Told what happens; outlives the runtime. Null: nobody is.
};

// How busy the runtime is at a moment.
struct RuntimeLoad {
  BootGate::Load boots;
  size_t pods_reconciling = 0;  // Found at Open, and not yet accounted for.
};

// What comes with every mutation.
struct MutationOptions {
  // Waiting for the pod's lock ends here.
  absl::Time deadline;
  // Empty for none; see PodService and core/model/request_id.h.
  std::string request_id;
};

struct StopOptions {
  bool force = false;
  absl::Duration grace = absl::ZeroDuration();  // Zero: PodRuntimeOptions::stop_grace.
};

// What became of what a pod held, for people, in order.
struct Released {
  std::vector<std::string> given_back;  // "VM (pid 4711)".
  std::vector<std::string> kept;        // What could not be, with the cause: "network cni: …".
};

// A pod that has one more network interface.
struct AttachedInterface {
  v1::Pod pod;
  std::string interface_name;
};

// A pod that has an interface less, if it had it.
struct DetachedInterface {
  v1::Pod pod;
  bool existed = false;
};

// A pod of which there is a checkpoint now.
struct CheckpointedPod {
  v1::Pod pod;
  uint64_t size_bytes = 0;  // What the checkpoint takes.
};

// An exec'd process.
struct ExecResult {
  std::string process_id;
  int32_t guest_pid = 0;
};

// All that the daemon may do with pods. Reads never wait: they see the last published snapshot. Mutations take the
// pod's lock, waiting for it until their deadline; once they have it they run to their end or their undo whatever the
// caller does, within ceilings of their own. Callbacks run once, on a thread of the worker pool, or on the caller's
// when the request is refused at once; they must not block. Thread-safe.
//
// A mutation whose request id was done before, or is under way, is not done again: it answers with what is now.
//
// Errors: kInvalidArgument (INVALID_FIELD, UNKNOWN_BACKEND, REQUEST_ID_REUSED), kNotFound (POD_, CONTAINER_,
// PROCESS_NOT_FOUND), kAlreadyExists (POD_EXISTS, CONTAINER_EXISTS), kFailedPrecondition (WRONG_STATE, STDIN_TAKEN),
// kDeadlineExceeded (LOCK_TIMEOUT), kAborted (PREEMPTED), kUnimplemented (NOT_IMPLEMENTED), kUnavailable
// (AGENT_UNAVAILABLE, VM_EXITED); each names the pod in its metadata. What starts a machine also has those of
// BootGate::Enter.
class PodRuntime {
 public:
  using PodCallback = std::function<void(absl::StatusOr<v1::Pod>)>;
  using ContainerCallback = std::function<void(absl::StatusOr<v1::Container>)>;
  using DoneCallback = std::function<void(absl::Status)>;

  // Reads every record and starts to reconcile them with what runs: adopts machines, finishes or undoes what was under
  // way. Returns before that is done; operations on a pod wait for its own. A record that cannot be read makes that pod
  // `failed`, never this call. All references outlive the runtime. Fails when the directories cannot be made or another
  // daemon holds them.
  static absl::StatusOr<std::unique_ptr<PodRuntime>> Open(const PodRuntimeOptions& options, const Backends& backends,
                                                          Filesystem& filesystem, IoThread& io, WorkerPool& pool,
                                                          EventBus& events);

  // Lets go of every pod and leaves the machines running. Cancels operations under way and waits until their undo is
  // done.
  virtual ~PodRuntime() = default;

  // Blocks until every pod that was found at Open is reconciled.
  virtual void WaitReconciled() = 0;

  // Tells operations under way to give up, as the destructor does, without waiting.
  virtual void BeginShutdown() = 0;

  // ---- Reads ----
  virtual absl::StatusOr<std::shared_ptr<const PodSnapshot>> GetPod(const std::string& pod_id) const = 0;
  // In order of id.
  virtual std::vector<std::shared_ptr<const PodSnapshot>> ListPods() const = 0;
  // Of these the ones after `id`, at most so many: costs what it returns, however many pods there are.
  virtual std::vector<std::shared_ptr<const PodSnapshot>> ListPodsAfter(const std::string& id, size_t most) const = 0;
  virtual RuntimeLoad load() const = 0;

  // ---- Pods ----
  virtual void CreatePod(v1::PodConfig config, const MutationOptions& options, PodCallback done) = 0;
  virtual void RunPod(v1::PodConfig config, const MutationOptions& options, PodCallback done) = 0;
  virtual void StartPod(const std::string& pod_id, const MutationOptions& options, PodCallback done) = 0;
  virtual void StopPod(const std::string& pod_id, const StopOptions& stop, const MutationOptions& options,
                       PodCallback done) = 0;
  virtual void PausePod(const std::string& pod_id, const MutationOptions& options, PodCallback done) = 0;
  virtual void ResumePod(const std::string& pod_id, const MutationOptions& options, PodCallback done) = 0;
  virtual void DeletePod(const std::string& pod_id, bool force, const MutationOptions& options,
                         std::function<void(absl::StatusOr<Released>)> done) = 0;
  // Gives the pod other vCPUs and memory: what is not 0. One that has a machine gets them now, all or nothing.
  virtual void UpdatePod(const std::string& pod_id, const v1::VmResources& resources, const MutationOptions& options,
                         PodCallback done) = 0;
  virtual void UpdatePodAnnotations(const std::string& pod_id, const std::map<std::string, std::string>& set,
                                    const std::vector<std::string>& remove_keys, const MutationOptions& options,
                                    PodCallback done) = 0;

  // Gives a ready or running pod one more network interface, or takes one away; its configuration and its later lives
  // have it so. Nothing has changed on failure. kAlreadyExists when it has one of that name.
  virtual void AttachInterface(const std::string& pod_id, const v1::CniNetwork& network, const MutationOptions& options,
                               std::function<void(absl::StatusOr<AttachedInterface>)> done) = 0;
  virtual void DetachInterface(const std::string& pod_id, const std::string& interface_name,
                               const MutationOptions& options,
                               std::function<void(absl::StatusOr<DetachedInterface>)> done) = 0;

  // Writes a checkpoint (core/checkpoint) of a ready, running or paused pod to a directory that does not exist. The pod
  // stands still meanwhile and is as before afterwards, unless `stop` says that it is to be stopped. On failure there
  // is no directory, and the pod goes on. kFailedPrecondition (NOT_IMPLEMENTED) for a pod with what no checkpoint
  // holds.
  virtual void CheckpointPod(const std::string& pod_id, const std::string& directory, bool stop,
                             const MutationOptions& options,
                             std::function<void(absl::StatusOr<CheckpointedPod>)> done) = 0;
  // Makes a pod that goes on from a checkpoint; an empty id is the one that it had. CHECKPOINT_UNFIT, with the reason,
  // when it cannot.
  virtual void RestorePod(const std::string& directory, const std::string& pod_id, const MutationOptions& options,
                          PodCallback done) = 0;

  // ---- Templates: machines that pods go on from, in place of a boot ----
  // Those that are there, are being made or could not be, in order of key and trust domain.
  virtual std::vector<TemplateInfo> ListTemplates() const = 0;
  // Has the template made that a pod of that configuration would go on from; `done` runs when it is there.
  // kFailedPrecondition when such a pod has none.
  virtual void PrepareTemplate(const v1::PodConfig& config, std::function<void(absl::StatusOr<TemplateInfo>)> done) = 0;
  // Drops those whose key begins with `key`, all for `*`, and returns their keys; kInvalidArgument when that is not
  // one.
  virtual void DeleteTemplate(const std::string& key,
                              std::function<void(absl::StatusOr<std::vector<std::string>>)> done) = 0;

  // ---- Containers ----
  virtual void CreateContainer(const std::string& pod_id, v1::ContainerConfig config, const MutationOptions& options,
                               ContainerCallback done) = 0;
  virtual void StartContainer(const std::string& pod_id, const std::string& container_id,
                              const MutationOptions& options, ContainerCallback done) = 0;
  // With force also in a paused pod, which runs for that moment.
  virtual void StopContainer(const std::string& pod_id, const std::string& container_id, const StopOptions& stop,
                             const MutationOptions& options, ContainerCallback done) = 0;
  // Changes limits of a ready or running container, now and for its later lives: what `change` names. On failure they
  // are as before.
  virtual void UpdateContainer(const std::string& pod_id, const std::string& container_id,
                               const v1::ContainerResources& change, const MutationOptions& options,
                               ContainerCallback done) = 0;
  virtual void DeleteContainer(const std::string& pod_id, const std::string& container_id, bool force,
                               const MutationOptions& options, DoneCallback done) = 0;

  // ---- What is used. They wait for a pod that another operation holds, until `deadline` ----
  using ProcessesCallback = std::function<void(absl::StatusOr<std::vector<v1::ProcessInfo>>)>;
  virtual void ListProcesses(const std::string& pod_id, const std::string& container_id, absl::Time deadline,
                             ProcessesCallback done) = 0;
  using ContainerStatsCallback = std::function<void(absl::StatusOr<v1::ContainerStats>)>;
  virtual void GetContainerStats(const std::string& pod_id, const std::string& container_id, absl::Time deadline,
                                 ContainerStatsCallback done) = 0;
  // Of a ready, running or paused pod. Without the guest's part when that does not answer within some seconds, or
  // cannot.
  using PodStatsCallback = std::function<void(absl::StatusOr<v1::PodStats>)>;
  virtual void GetPodStats(const std::string& pod_id, absl::Time deadline, PodStatsCallback done) = 0;

  // ---- Processes; an empty process id is the container's first process ----
  // Runs `done` when it is known what runs in the pod: at once, on this thread, but for a pod that was there when the
  // daemon started. That one is known once its guest has told; kUnavailable (AGENT_UNAVAILABLE) when that is not before
  // the deadline, and what cut the recovery short when force did. To be asked before Wait, Attach and OpenInput, which
  // do not wait themselves; Signal, CloseInput and ResizeTerminal do.
  virtual void AwaitRecovery(const std::string& pod_id, absl::Time deadline, DoneCallback done) = 0;
  virtual void Exec(const std::string& pod_id, const std::string& container_id, v1::Cmd cmd,
                    const MutationOptions& options, std::function<void(absl::StatusOr<ExecResult>)> done) = 0;
  // Those that are known of a container, or of all when `container_id` is empty. Does not wait.
  virtual absl::StatusOr<std::vector<v1::ExecInfo>> ListExecs(const std::string& pod_id,
                                                              const std::string& container_id) const = 0;
  // As Exec, for the guest's own code that packs or unpacks files. When the daemon ends meanwhile, the next one ends
  // it.
  virtual void ExecArchive(const std::string& pod_id, const std::string& container_id, GuestArchive archive,
                           const MutationOptions& options, std::function<void(absl::StatusOr<ExecResult>)> done) = 0;
  // Connects to a port in a running pod: a process of no container, to be attached to and written to as any other; what
  // its output and its end mean is in core/link/link_limits.h. It is the caller's until EndPortForward; when the daemon
  // ends meanwhile, the next one ends it. kUnavailable (CONNECTION_REFUSED) when nobody listens.
  virtual void PortForward(const std::string& pod_id, const GuestDial& dial, absl::Time deadline,
                           std::function<void(absl::StatusOr<ProcessKey>)> done) = 0;
  // Ends the connection, should it still be there, and forgets it. Does not block.
  virtual void EndPortForward(const std::string& pod_id, const ProcessKey& process) = 0;
  // Takes no lock, so that a signal gets through while another operation, such as a stop, holds the pod.
  virtual void Signal(const std::string& pod_id, const ProcessKey& process, int signal, bool all,
                      const MutationOptions& options, DoneCallback done) = 0;
  // Runs `done` when the process has ended, at once when it has. Destroy the returned handle to stop waiting: after its
  // destructor the callback does not run. May be null when the callback ran already.
  class WaitHandle {
   public:
    virtual ~WaitHandle() = default;
  };
  virtual std::unique_ptr<WaitHandle> Wait(const std::string& pod_id, const ProcessKey& process,
                                           std::function<void(absl::StatusOr<v1::ExitStatus>)> done) = 0;
  // Follows the process's output until it ends.
  virtual absl::StatusOr<std::unique_ptr<OutputReader>> Attach(const std::string& pod_id, const ProcessKey& process,
                                                               OutputStart start) = 0;
  // What the container's first process has printed, in all its runs, as far as it is kept.
  virtual absl::StatusOr<std::unique_ptr<OutputReader>> ReadLogs(const std::string& pod_id,
                                                                 const std::string& container_id,
                                                                 const LogSelection& selection) = 0;
  // What the pod's guest has written on its console: of the machine it has, or had last. Empty when that has none.
  virtual absl::StatusOr<std::unique_ptr<OutputReader>> ReadConsole(const std::string& pod_id,
                                                                    const ConsoleSelection& selection) = 0;
  // The right to write to the process, unless another has it: kFailedPrecondition (STDIN_TAKEN). It has it until the
  // writer is destroyed, or the daemon ends.
  virtual absl::StatusOr<std::unique_ptr<InputWriter>> OpenInput(const std::string& pod_id,
                                                                 const ProcessKey& process) = 0;
  // Whether somebody has that right now.
  virtual bool HasWriter(const std::string& pod_id, const ProcessKey& process) const = 0;
  // Ends the process's standard input, whoever writes to it, when it is known by `deadline`. kFailedPrecondition when
  // it is closed.
  virtual void CloseInput(const std::string& pod_id, const ProcessKey& process, absl::Time deadline,
                          DoneCallback done) = 0;
  // Takes no lock, as Signal. kFailedPrecondition for a process without a terminal, or that has ended.
  virtual void ResizeTerminal(const std::string& pod_id, const ProcessKey& process, const v1::TerminalSize& size,
                              const MutationOptions& options, DoneCallback done) = 0;
};

}  // namespace vcd

#endif  // VCD_CORE_POD_POD_RUNTIME_H_

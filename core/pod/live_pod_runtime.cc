// SPDX-License-Identifier: Apache-2.0
#include "core/pod/live_pod_runtime.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/model/request_id.h"
#include "core/pod/machine_start.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// What takes long keeps a worker: not so much of it that operations on other pods had none.
constexpr size_t kMostInFirstHooks = 16;
constexpr size_t kMostCheckpoints = 16;

}  // namespace

struct LivePodRuntime::Run {
  PodLock lock;
  const std::string pod_id;
  Operation operation;
  const Body body;
  const DoneCallback done;
};

absl::Status LivePodRuntime::ShuttingDown() {
  return absl::UnavailableError("vcd is shutting down; try again when it is back");
}

absl::StatusOr<std::unique_ptr<PodRuntime>> PodRuntime::Open(const PodRuntimeOptions& options, const Backends& backends,
                                                             Filesystem& filesystem, IoThread& io, WorkerPool& pool,
                                                             EventBus& events) {
  auto runtime = std::make_unique<LivePodRuntime>(options, backends, filesystem, io, pool, events);
  VCD_RETURN_IF_ERROR(runtime->Recover());
  return runtime;
}

LivePodRuntime::LivePodRuntime(const PodRuntimeOptions& options, const Backends& backends, Filesystem& filesystem,
                               IoThread& io, WorkerPool& pool, EventBus& events)
    : options_(options),
      metrics_(options.metrics != nullptr ? *options.metrics : no_metrics_),
      backends_(backends),
      filesystem_(filesystem),
      io_(io),
      work_(pool),
      events_(events),
      store_(filesystem, options.state_dir, options.run_dir),
      // Microseconds, so that revisions go on growing over restarts.
      registry_(static_cast<uint64_t>(absl::ToUnixMicros(absl::Now()))),
      heartbeat_(io, {options.heartbeat_interval, options.heartbeat_timeout}, metrics_),
      boot_gate_({options.max_parallel_boots, options.host_memory, options.memory_reserve_bytes}),
      hook_share_({kMostInFirstHooks, "run the hooks that come before their boot"}, io, work_),
      checkpoint_share_({kMostCheckpoints, "make checkpoints or are made of one"}, io, work_),
      // Counted: what begins there may have its operation end elsewhere, and looks at the boot gate after that.
      locks_(
          io, [this](std::function<void()> task) { work_.Post(std::move(task)); },
          [this](const std::string& pod_id) { return store_.layout().LockFile(pod_id); }),
      templates_(options.templates, filesystem, boot_gate_, work_, metrics_),
      environment_{options_, backends_, store_, registry_, locks_,       boot_gate_, events_,
                   io_,      work_,     disks_, ports_,    log_threads_, templates_, metrics_} {}

LivePodRuntime::~LivePodRuntime() {
  BeginShutdown();
  work_.WaitIdle();
  // Handles are let go of here rather than by whoever holds a pod last, which may be a callback of the handle itself.
  heartbeat_.Stop();
  for (const std::shared_ptr<Pod>& pod : registry_.Pods()) {
    pod->TakeMachine().reset();
    pod->guest().Exchange(nullptr).reset();
  }
  // What the guests told just before.
  log_threads_.Finish();
  work_.WaitIdle();
}

void LivePodRuntime::BeginShutdown() {
  {
    MutexLock lock(&mu_);
    if (std::exchange(shutting_down_, true)) return;
  }
  locks_.Shutdown(ShuttingDown());
  leaving_.Cancel(ShuttingDown());
  templates_.BeginShutdown();
  boot_gate_.WithdrawAll();
}

void LivePodRuntime::WaitReconciled() {
  MutexLock lock(&mu_);
  while (reconciling_ > 0) reconciled_.Wait(&mu_);
}

void LivePodRuntime::AwaitRecovery(const std::string& pod_id, absl::Time deadline, DoneCallback done) {
  const absl::StatusOr<std::shared_ptr<Pod>> pod = registry_.Find(pod_id);
  if (!pod.ok()) return done(pod.status());
  const std::shared_ptr<RecoveryWait> recovery = (*pod)->recovery();
  if (recovery == nullptr) return done(absl::OkStatus());
  work_.Begin();
  recovery->Add(deadline, [this, pod = *pod, done = std::move(done)](const absl::Status& status) mutable {
    done(absl::IsDeadlineExceeded(status) ? pod->StillRecovering() : status);
    done = nullptr;
    work_.End();
  });
}

absl::StatusOr<std::shared_ptr<const PodSnapshot>> LivePodRuntime::GetPod(const std::string& pod_id) const {
  return registry_.Snapshot(pod_id);
}

std::vector<std::shared_ptr<const PodSnapshot>> LivePodRuntime::ListPods() const { return registry_.Snapshots(); }

std::vector<std::shared_ptr<const PodSnapshot>> LivePodRuntime::ListPodsAfter(const std::string& id,
                                                                              size_t most) const {
  return registry_.SnapshotsAfter(id, most);
}

RuntimeLoad LivePodRuntime::load() const {
  RuntimeLoad load;
  load.boots = boot_gate_.load();
  MutexLock lock(&mu_);
  load.pods_reconciling = reconciling_;
  return load;
}

PodRuntime::DoneCallback LivePodRuntime::Enter(const Operation& operation, DoneCallback done) {
  absl::Status valid = ValidateRequestId(operation.options.request_id);
  if (!valid.ok()) {
    done(valid);
    return nullptr;
  }
  state::v1::Request request;
  request.set_request_id(operation.options.request_id);
  request.set_fingerprint(operation.fingerprint);
  absl::StatusOr<RequestLedger::DoneCallback> entered = ledger_.Enter(request, done);
  if (entered.ok()) return *std::move(entered);
  done(entered.status());
  return nullptr;
}

void LivePodRuntime::Submit(const std::string& pod_id, const Operation& operation, Body body, DoneCallback done) {
  if (DoneCallback entered = Enter(operation, std::move(done))) {
    Dispatch(pod_id, operation, std::move(body), std::move(entered));
  }
}

void LivePodRuntime::Dispatch(const std::string& pod_id, Operation operation, Body body, DoneCallback done) {
  // Refused before it waits for anything; looked up again with the lock, because the pod may go meanwhile.
  absl::Status known = registry_.Find(pod_id).status();
  if (!known.ok()) return done(known);
  work_.Begin();
  operation.clock =
      std::make_shared<OperationClock>(operation.metric != nullptr ? operation.metric : operation.name, metrics_);
  PodLockTable::Waiter waiter;
  waiter.operation = operation.name;
  waiter.mode = operation.mode;
  waiter.deadline = operation.options.deadline;
  waiter.preempt = operation.preempt;
  locks_.Acquire(pod_id, waiter, [this, pod_id, operation, body, done](absl::StatusOr<PodLock> lock) {
    if (!lock.ok()) {
      operation.clock->End(lock.status());
      done(lock.status());
      return work_.End();
    }
    auto run = std::make_shared<Run>(Run{*std::move(lock), pod_id, operation, body, done});
    std::optional<BootNeed> need;
    if (operation.boots != nullptr) {
      const absl::StatusOr<std::shared_ptr<Pod>> pod = registry_.Find(pod_id);
      if (pod.ok()) need = operation.boots(**pod);
    }
    if (need.has_value()) need->deadline = operation.options.deadline;
    // One that has no machine to start does nothing that takes long before it does.
    const bool waits = operation.share != nullptr && (need.has_value() || operation.boots == nullptr);
    if (waits) return AwaitTurn(run, need);
    need.has_value() ? AwaitPlace(run, *need) : RunBody(run, std::unique_ptr<BootGate::Place>());
  });
  // What it cancelled may be waiting for a place to boot.
  if (!operation.preempt.ok()) boot_gate_.Withdraw(pod_id);
}

void LivePodRuntime::AwaitTurn(const std::shared_ptr<Run>& run, const std::optional<BootNeed>& need) {
  if (need.has_value()) run->operation.clock->Enter(OperationPhase::kBootQueue);
  run->operation.share->Run(run->pod_id, run->operation.options.deadline, run->lock.cancellation(),
                            [this, run, need](const absl::Status& turn) {
                              if (!turn.ok()) return RunBody(run, turn);
                              need.has_value() ? RunFirst(run, *need)
                                               : RunBody(run, std::unique_ptr<BootGate::Place>());
                            });
}

void LivePodRuntime::RunFirst(const std::shared_ptr<Run>& run, const BootNeed& need) {
  const absl::Time began = absl::Now();
  // Told before there are effects that would be in vain.
  const absl::Status foreseen = boot_gate_.Foresee(need);
  EnteredPlace none = foreseen.ok() ? EnteredPlace(std::unique_ptr<BootGate::Place>()) : EnteredPlace(foreseen);
  bool repeated = false;
  const Body first = std::exchange(run->operation.first, nullptr);
  const absl::Status status = RunPart(*run, std::move(none), first, &repeated);
  if (!status.ok() || repeated) return Finish(*run, status);
  run->operation.ceiling -= absl::Now() - began;
  AwaitPlace(run, need);
}

void LivePodRuntime::AwaitPlace(const std::shared_ptr<Run>& run, const BootNeed& need) {
  run->operation.clock->Enter(OperationPhase::kBootQueue);
  // Whoever gives a place back calls this, and must not do the next one's work.
  boot_gate_.Enter(run->pod_id, need, run->lock.cancellation(), [this, run](EnteredPlace place) {
    work_.Post(
        [this, run, place = std::make_shared<EnteredPlace>(std::move(place))] { RunBody(run, std::move(*place)); });
  });
}

absl::Status LivePodRuntime::CheckRepeated(const Pod& pod, const state::v1::Request& request, bool* repeated) {
  *repeated = false;
  if (request.request_id().empty()) return absl::OkStatus();
  const state::v1::PodRecord record = pod.record();
  const state::v1::Request* done = FindDone(record, request.request_id());
  if (done == nullptr) return absl::OkStatus();
  if (done->fingerprint() != request.fingerprint()) return RequestIdReused(request.request_id());
  *repeated = true;
  return absl::OkStatus();
}

BootNeed LivePodRuntime::NeedOf(const Pod& pod) {
  BootNeed need;
  const std::shared_ptr<const v1::PodConfig> config = pod.config();
  const v1::HypervisorConfig& machine = config->hypervisor_config();
  // Huge pages are not of the memory that is available, and a guest that is pretended takes none.
  if (!machine.huge_pages() && !pod.hypervisor().capabilities().simulated_guest) {
    need.memory_bytes = uint64_t{machine.default_memory_mib()} << 20;
  }
  return need;
}

BootNeed LivePodRuntime::NeedOrCloneOf(const Pod& pod) const {
  const std::shared_ptr<const v1::PodConfig> config = pod.config();
  BootNeed need = NeedOf(pod);
  if (config->disable_template()) return need;
  const std::optional<uint64_t> clone =
      templates_.CloneMemory(SubjectOf(pod.hypervisor(), pod.agent(), *config, templates_.options()));
  if (!clone.has_value()) return need;
  need.clone = true;
  if (!NeedsSharedMemory(*config)) need.memory_bytes = std::min(need.memory_bytes, *clone);
  return need;
}

void LivePodRuntime::RunBody(const std::shared_ptr<Run>& run, EnteredPlace place) {
  bool repeated = false;
  const auto all = [&run](Pod& pod, Grant& grant) -> absl::Status {
    if (run->operation.first != nullptr) VCD_RETURN_IF_ERROR(run->operation.first(pod, grant));
    return run->body(pod, grant);
  };
  Finish(*run, RunPart(*run, std::move(place), all, &repeated));
}

absl::Status LivePodRuntime::RunPart(Run& run, EnteredPlace place, const Body& part, bool* repeated) {
  const Operation& operation = run.operation;
  operation.clock->Enter(OperationPhase::kWork);
  VCD_ASSIGN_OR_RETURN(const std::shared_ptr<Pod> pod, registry_.Find(run.pod_id));
  // All of this part shares it.
  const std::shared_ptr<const v1::PodConfig> config = pod->config();
  Grant grant{run.lock,         {absl::Now() + operation.ceiling, &run.lock.cancellation()},
              std::move(place), {},
              *operation.clock, operation.options.deadline};
  grant.request.set_request_id(operation.options.request_id);
  grant.request.set_fingerprint(operation.fingerprint);
  VCD_RETURN_IF_ERROR(CheckRepeated(*pod, grant.request, repeated));
  return *repeated ? absl::OkStatus() : WithMetadata(part(*pod, grant), "pod_id", run.pod_id);
}

void LivePodRuntime::Finish(Run& run, const absl::Status& status) {
  run.lock.Release();
  run.operation.clock->End(status);
  run.done(status);
  work_.End();
}

void LivePodRuntime::SubmitForPod(const std::string& pod_id, const Operation& operation, const Body& body,
                                  PodCallback done) {
  // The view is taken with the lock held, so that it shows what this operation did and nothing later; a request that is
  // repeated takes what is now.
  auto view = std::make_shared<std::shared_ptr<const PodSnapshot>>();
  Submit(
      pod_id, operation,
      [this, view, body](Pod& pod, Grant& grant) {
        VCD_RETURN_IF_ERROR(body(pod, grant));
        VCD_ASSIGN_OR_RETURN(*view, registry_.Snapshot(pod.id()));
        return absl::OkStatus();
      },
      [this, pod_id, view, done](const absl::Status& status) {
        if (!status.ok()) return done(status);
        absl::StatusOr<std::shared_ptr<const PodSnapshot>> shown = *view;
        if (*view == nullptr) shown = registry_.Snapshot(pod_id);
        shown.ok() ? done((*shown)->Unpack()) : done(shown.status());
      });
}

void LivePodRuntime::SubmitForContainer(const std::string& pod_id, const std::string& container_id,
                                        const Operation& operation, const Body& body, ContainerCallback done) {
  auto view = std::make_shared<std::optional<v1::Container>>();
  Submit(
      pod_id, operation,
      [view, container_id, body](Pod& pod, Grant& grant) {
        VCD_RETURN_IF_ERROR(body(pod, grant));
        VCD_ASSIGN_OR_RETURN(*view, pod.ViewContainer(container_id));
        return absl::OkStatus();
      },
      [this, pod_id, container_id, view, done](const absl::Status& status) {
        if (!status.ok()) return done(status);
        if (view->has_value()) return done(**view);
        absl::StatusOr<std::shared_ptr<Pod>> pod = registry_.Find(pod_id);
        pod.ok() ? done((*pod)->ViewContainer(container_id)) : done(pod.status());
      });
}

}  // namespace vcd

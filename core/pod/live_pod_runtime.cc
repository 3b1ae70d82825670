// SPDX-License-Identifier: Apache-2.0
#include "core/pod/live_pod_runtime.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

absl::Status ShuttingDown() { return absl::UnavailableError("vcd is shutting down; try again when it is back"); }

}  // namespace

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
      boot_gate_(options.max_parallel_boots),
      locks_(
          io, [&pool](std::function<void()> task) { pool.Post(std::move(task)); },
          [this](const std::string& pod_id) { return store_.layout().LockFile(pod_id); }),
      environment_{options_, backends_, store_, registry_, locks_, boot_gate_, events_, io_, work_} {}

LivePodRuntime::~LivePodRuntime() {
  BeginShutdown();
  work_.WaitIdle();
  // Handles are let go of here rather than by whoever holds a pod last, which may be a callback of the handle itself.
  for (const std::shared_ptr<Pod>& pod : registry_.Pods()) {
    pod->TakeMachine().reset();
    pod->guest().Exchange(nullptr).reset();
  }
  // What the guests told just before.
  work_.WaitIdle();
}

void LivePodRuntime::BeginShutdown() {
  {
    MutexLock lock(&mu_);
    if (std::exchange(shutting_down_, true)) return;
  }
  locks_.Shutdown(ShuttingDown());
}

void LivePodRuntime::WaitReconciled() {
  MutexLock lock(&mu_);
  while (reconciling_ > 0) reconciled_.Wait(&mu_);
}

absl::StatusOr<std::shared_ptr<const v1::Pod>> LivePodRuntime::GetPod(const std::string& pod_id) const {
  return registry_.Snapshot(pod_id);
}

std::vector<std::shared_ptr<const v1::Pod>> LivePodRuntime::ListPods() const { return registry_.Snapshots(); }

RuntimeLoad LivePodRuntime::load() const {
  RuntimeLoad load;
  load.boots_waiting = boot_gate_.waiting();
  load.boots_running = boot_gate_.taken();
  MutexLock lock(&mu_);
  load.pods_reconciling = reconciling_;
  return load;
}

void LivePodRuntime::Submit(const std::string& pod_id, Request request, Body body, DoneCallback done) {
  // Refused before it waits for anything; looked up again with the lock, because the pod may go meanwhile.
  absl::Status known = registry_.Find(pod_id).status();
  if (!known.ok()) return done(known);
  work_.Begin();
  request.clock =
      std::make_shared<OperationClock>(request.metric != nullptr ? request.metric : request.operation, metrics_);
  PodLockTable::Waiter waiter;
  waiter.operation = request.operation;
  waiter.mode = request.mode;
  waiter.deadline = request.deadline;
  waiter.preempt = request.preempt;
  locks_.Acquire(pod_id, waiter, [this, pod_id, request, body, done](absl::StatusOr<PodLock> lock) {
    if (!lock.ok()) {
      request.clock->End(lock.status());
      done(lock.status());
      return work_.End();
    }
    auto held = std::make_shared<PodLock>(*std::move(lock));
    if (!request.boots) return RunBody(*held, nullptr, pod_id, request, body, done);
    request.clock->Enter(OperationPhase::kBootQueue);
    // Whoever gives a place back calls this, and must not do the next one's work.
    boot_gate_.Enter([this, held, pod_id, request, body, done](std::unique_ptr<BootGate::Place> place) {
      work_.Post([this, held, place = std::make_shared<std::unique_ptr<BootGate::Place>>(std::move(place)), pod_id,
                  request, body, done] { RunBody(*held, std::move(*place), pod_id, request, body, done); });
    });
  });
}

void LivePodRuntime::RunBody(PodLock& lock, std::unique_ptr<BootGate::Place> place, const std::string& pod_id,
                             const Request& request, const Body& body, const DoneCallback& done) {
  request.clock->Enter(OperationPhase::kWork);
  absl::Status status;
  absl::StatusOr<std::shared_ptr<Pod>> pod = registry_.Find(pod_id);
  if (pod.ok()) {
    Grant grant{lock, {absl::Now() + request.ceiling, &lock.cancellation()}, std::move(place), *request.clock};
    status = WithMetadata(body(**pod, grant), "pod_id", pod_id);
  } else {
    status = pod.status();
  }
  lock.Release();
  request.clock->End(status);
  done(status);
  work_.End();
}

void LivePodRuntime::SubmitForPod(const std::string& pod_id, const Request& request, Body body, PodCallback done) {
  // The view is taken with the lock held, so that it shows what this operation did and nothing later.
  auto view = std::make_shared<v1::Pod>();
  Submit(
      pod_id, request,
      [this, view, body](Pod& pod, Grant& grant) {
        VCD_RETURN_IF_ERROR(body(pod, grant));
        VCD_ASSIGN_OR_RETURN(std::shared_ptr<const v1::Pod> snapshot, registry_.Snapshot(pod.id()));
        *view = *snapshot;
        return absl::OkStatus();
      },
      [view, done](const absl::Status& status) {
        status.ok() ? done(std::move(*view)) : done(absl::StatusOr<v1::Pod>(status));
      });
}

void LivePodRuntime::SubmitForContainer(const std::string& pod_id, const std::string& container_id,
                                        const Request& request, Body body, ContainerCallback done) {
  auto view = std::make_shared<v1::Container>();
  Submit(
      pod_id, request,
      [view, container_id, body](Pod& pod, Grant& grant) {
        VCD_RETURN_IF_ERROR(body(pod, grant));
        VCD_ASSIGN_OR_RETURN(*view, pod.ViewContainer(container_id));
        return absl::OkStatus();
      },
      [view, done](const absl::Status& status) {
        status.ok() ? done(std::move(*view)) : done(absl::StatusOr<v1::Container>(status));
      });
}

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/model/ids.h"
#include "core/model/request_id.h"
#include "core/pod/checkpoint_disks.h"
#include "core/pod/container_lifecycle.h"
#include "core/pod/live_pod_runtime.h"
#include "core/pod/pod_hooks.h"
#include "core/pod/pod_tear_down.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {

std::shared_ptr<Pod> LivePodRuntime::MakePod(const v1::PodConfig& config, state::v1::PodRecord record) {
  auto pod = std::make_shared<Pod>(environment_, config, std::move(record));
  const std::string id = pod->id();
  pod->OnLost([this, id](const absl::Status& why) { HandleLost(id, why); });
  if (pod->agent().capabilities().runs_processes) heartbeat_.Add(pod);
  return pod;
}

void LivePodRuntime::CreatePod(v1::PodConfig config, const MutationOptions& options, PodCallback done) {
  Create(std::move(config), /*start=*/false, options, std::move(done));
}

void LivePodRuntime::RunPod(v1::PodConfig config, const MutationOptions& options, PodCallback done) {
  Create(std::move(config), /*start=*/true, options, std::move(done));
}

void LivePodRuntime::Create(v1::PodConfig asked, bool start, const MutationOptions& options, PodCallback done) {
  Operation operation;
  operation.name = start ? "RunPod" : "CreatePod";
  operation.options = options;
  operation.fingerprint = RequestFingerprint({operation.name, FingerprintPart(asked)});
  operation.ceiling = options_.boot_timeout + absl::Minutes(1) + HookTime(asked, options_);
  operation.boots = [this](const Pod& pod) { return NeedOrCloneOf(pod); };
  // Chosen here, so that a request that joins this one knows it too.
  if (asked.id().empty()) asked.set_id(options.request_id.empty() ? GenerateId() : IdOfRequest(options.request_id));
  const std::string id = asked.id();
  DoneCallback entered = Enter(operation, [this, id, done = std::move(done)](const absl::Status& status) {
    if (!status.ok()) return done(status);
    absl::StatusOr<std::shared_ptr<const PodSnapshot>> snapshot = registry_.Snapshot(id);
    snapshot.ok() ? done((*snapshot)->Unpack()) : done(snapshot.status());
  });
  if (entered == nullptr) return;
  work_.Post([this, asked = std::move(asked), start, operation, entered = std::move(entered)] {
    Make(asked, start, operation, entered);
  });
}

void LivePodRuntime::Make(const v1::PodConfig& asked, bool start, const Operation& operation,
                          const DoneCallback& done) {
  // There is no pod yet that goes on when its caller has gone.
  const CallContext context{std::min(absl::Now() + operation.ceiling, operation.options.deadline), &leaving_};
  absl::StatusOr<v1::PodConfig> config = Prepare(asked, context);
  if (!config.ok()) return done(WithMetadata(config.status(), "pod_id", asked.id()));
  const std::string id = config->id();
  state::v1::PodRecord record;
  record.set_pod_id(id);
  record.set_state(v1::POD_STATE_CREATING);
  StampNow(record.mutable_created_at());
  for (const v1::ContainerConfig& container : config->containers()) {
    record.add_containers()->set_id(container.id());
    record.mutable_containers()->rbegin()->set_state(v1::CONTAINER_STATE_CREATING);
  }
  auto creation = std::make_shared<Creation>();
  creation->start = start;
  Operation making = operation;
  making.first = [this, creation](Pod& pod, Grant& grant) { return BeginCreation(pod, *creation, grant); };
  if (HasHooksBeforeBoot(*config)) making.share = &hook_share_;
  Appear(
      MakePod(*config, std::move(record)), making,
      [this, creation](Pod& pod, Grant& grant) { return FinishCreation(pod, *creation, grant); },
      [this, asked, start, done](const Operation& operation) { Make(asked, start, operation, done); }, done);
}

void LivePodRuntime::Appear(const std::shared_ptr<Pod>& created, Operation operation, const Body& body,
                            const std::function<void(const Operation&)>& again, const DoneCallback& done) {
  const std::string id = created->id();
  const absl::Status added = registry_.Add(created, std::make_shared<const PodSnapshot>(created->View()));
  if (!added.ok()) return RepeatMake(id, operation, added, again, done);
  // Between its appearance and the lock a forced delete may come, and after that another creation.
  const absl::Status gone = absl::AbortedError(absl::StrCat("pod ", id, ": it was deleted meanwhile"));
  auto found = std::make_shared<bool>(false);
  operation.first = [created, first = std::move(operation.first), gone, found](Pod& pod, Grant& grant) {
    *found = true;
    return &pod == created.get() ? first(pod, grant) : gone;
  };
  Dispatch(id, operation, body, [gone, found, done](const absl::Status& status) {
    done(!*found && absl::IsNotFound(status) ? gone : status);
  });
}

void LivePodRuntime::RepeatMake(const std::string& pod_id, Operation operation, const absl::Status& taken,
                                const std::function<void(const Operation&)>& again, const DoneCallback& done) {
  if (operation.options.request_id.empty()) return done(taken);
  // The pod may be this request's own, made before a crash: done, which RunBody finds, or half made, which recovery is
  // removing and the lock waits for.
  operation.mode = LockMode::kShared;
  operation.first = nullptr;
  const auto boots = std::exchange(operation.boots, nullptr);
  Dispatch(
      pod_id, operation, [taken](Pod&, Grant&) { return taken; },
      [this, operation, boots, again, done](const absl::Status& status) mutable {
        if (!absl::IsNotFound(status)) return done(status);
        operation.mode = LockMode::kExclusive;
        operation.boots = boots;
        work_.Post([operation, again] { again(operation); });
      });
}

absl::Status LivePodRuntime::BeginCreation(Pod& pod, Creation& creation, Grant& grant) {
  const std::shared_ptr<const v1::PodConfig> config = pod.config();
  grant.clock.Enter(OperationPhase::kPersist);
  const absl::Status begun = [&] {
    VCD_RETURN_IF_ERROR(grant.context.Check("create the pod"));
    VCD_RETURN_IF_ERROR(grant.place.status());
    VCD_RETURN_IF_ERROR(store_.CreatePodDirectories(pod.id()));
    VCD_RETURN_IF_ERROR(grant.lock.TakeLockFile());
    // The record first: without it a configuration would look like a pod that was stopped by a reboot.
    VCD_RETURN_IF_ERROR(pod.Change([&](state::v1::PodRecord& record) {
      SetUnderWay(record, state::v1::INTENT_CREATE, grant.request);
      MarkPoststopDue(*config, record);
    }));
    // Before the configuration, which is the pod for whoever starts vcd after a loss of power.
    if (creation.checkpoint != nullptr) {
      VCD_RETURN_IF_ERROR(PlaceWrittenDisks(filesystem_, *creation.checkpoint, grant.context));
    }
    VCD_RETURN_IF_ERROR(pod.SaveConfig());
    creation.up.emplace(pod, environment_, grant.clock);
    return creation.up->Open(grant.context);
  }();
  return begun.ok() ? begun : UndoCreation(pod, creation, begun, /*told=*/false, grant);
}

absl::Status LivePodRuntime::FinishCreation(Pod& pod, Creation& creation, Grant& grant) {
  absl::Status status = grant.place.status();
  if (status.ok()) {
    const auto finish = [&](state::v1::PodRecord& record) {
      if (!creation.start) SetDone(record, grant.request);
    };
    status = creation.up->Boot(*std::move(grant.place), finish, grant.context, creation.checkpoint.get());
  }
  if (!status.ok()) return UndoCreation(pod, creation, status, /*told=*/false, grant);
  creation.up.reset();
  pod.Tell(v1::EVENT_TYPE_POD_CREATED);
  const std::shared_ptr<const v1::PodConfig> config = pod.config();
  for (const v1::ContainerConfig& container : config->containers()) {
    pod.Tell(v1::EVENT_TYPE_CONTAINER_CREATED, container.id());
  }
  if (creation.start) status = ReleaseContainers(pod, grant.request, grant.context, grant.clock);
  if (!status.ok()) {
    return UndoCreation(pod, creation, status, /*told=*/true, grant);
  }
  const bool runs = pod.state() == v1::POD_STATE_RUNNING;
  LogInfo(pod.id(), absl::StrCat(creation.checkpoint != nullptr ? "restored, " : "", runs ? "running" : "ready"));
  if (runs) pod.Tell(v1::EVENT_TYPE_POD_STARTED);
  return status;
}

absl::Status LivePodRuntime::UndoCreation(Pod& pod, Creation& creation, const absl::Status& why, bool told,
                                          Grant& grant) {
  const std::string id = pod.id();
  grant.clock.Enter(OperationPhase::kUndo);
  if (creation.up.has_value() || told) {
    creation.up.reset();
    // What the undo could not end or give back is tried once more. Where that fails the pod stays, `failed`, so that
    // somebody knows of it: a deletion, or the next daemon, goes on from the intent.
    TearDownOptions options;
    options.hooks = PoststopLimits(grant);
    const absl::StatusOr<Released> released = TearDown(pod, environment_, options);
    const std::string left =
        released.ok() ? absl::StrJoin(released->kept, "; ") : std::string(released.status().message());
    if (!left.empty()) {
      LogError(id, absl::StrCat("not created, and not cleaned up: ", left));
      return OfPod(Annotate(why, absl::StrCat("(and not cleaned up, so delete the pod: ", left, ")")), id);
    }
  }
  const absl::Status removed = store_.RemovePod(id);
  if (!removed.ok()) LogError(id, absl::StrCat("undo: remove records: ", removed.message()));
  Forget(id);
  if (told) pod.Tell(v1::EVENT_TYPE_POD_DELETED, "", "", std::nullopt, std::string(why.message()));
  LogInfo(id, absl::StrCat("not created: ", why.message()));
  return OfPod(why, id);
}

}  // namespace vcd

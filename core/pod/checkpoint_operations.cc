// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/model/ids.h"
#include "core/model/request_id.h"
#include "core/pod/checkpoint_consistency.h"
#include "core/pod/checkpoint_disks.h"
#include "core/pod/container_lifecycle.h"
#include "core/pod/live_pod_runtime.h"
#include "core/pod/pod_checkpoint.h"
#include "core/pod/pod_lifecycle.h"
#include "core/pod/pod_state_machine.h"
#include "core/pod/pod_tear_down.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr absl::Duration kResumeTime = absl::Seconds(10);
// What so much may take on a slow disk, written or read twice.
absl::Duration TimeFor(uint64_t bytes) {
  return absl::Minutes(2) + absl::Milliseconds(100) * static_cast<int64_t>(bytes >> 20);
}

constexpr char kMakeRoom[] = "make some, or choose another place";

std::string HostnameAfter(const Checkpoint& checkpoint, const std::string& pod_id) {
  // One that was named after the pod still is.
  const v1::PodConfig& config = checkpoint.config;
  return config.hostname() == config.id().substr(0, 64) ? pod_id.substr(0, 64) : config.hostname();
}

}  // namespace

void LivePodRuntime::CheckpointPod(const std::string& pod_id, const std::string& directory, bool stop,
                                   const MutationOptions& options,
                                   std::function<void(absl::StatusOr<CheckpointedPod>)> done) {
  Operation operation;
  operation.name = "CheckpointPod";
  operation.options = options;
  operation.fingerprint = RequestFingerprint({operation.name, pod_id, directory, stop ? "stop" : ""});
  const absl::StatusOr<std::shared_ptr<Pod>> pod = registry_.Find(pod_id);
  const uint64_t memory_mib = pod.ok() ? (*pod)->config()->hypervisor_config().default_memory_mib() : 0;
  const uint64_t disk_bytes = pod.ok() ? DiskBytes((*pod)->record()) : 0;
  operation.ceiling = TimeFor((memory_mib << 20) + disk_bytes);
  operation.share = &checkpoint_share_;
  SubmitForPod(
      pod_id, operation,
      [this, directory, stop](Pod& pod, Grant& grant) { return CheckpointBody(pod, directory, stop, grant); },
      [directory, done = std::move(done)](absl::StatusOr<v1::Pod> pod) {
        if (!pod.ok()) return done(pod.status());
        done(CheckpointedPod{*std::move(pod), CheckpointBytes(directory)});
      });
}

absl::Status LivePodRuntime::CheckpointBody(Pod& pod, const std::string& directory, bool stop, const Grant& grant) {
  VCD_RETURN_IF_ERROR(OfPod(grant.place.status(), pod.id(), "checkpoint"));
  VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kCheckpoint, pod.id(), pod.state()));
  VCD_RETURN_IF_ERROR(CheckCheckpointPlace(filesystem_, directory, {options_.state_dir, options_.run_dir}));
  CheckpointManifest manifest;
  VCD_ASSIGN_OR_RETURN(manifest.image_key, CheckCheckpointable(pod, grant.context));
  manifest.stopped = stop;
  const std::string id = GenerateId();
  VCD_RETURN_IF_ERROR(pod.Change([&](state::v1::PodRecord& record) {
    SetUnderWay(record, state::v1::INTENT_CHECKPOINT, grant.request);
    record.mutable_under_way()->set_making(MakingPath(directory, id));
  }));
  bool awake = true;
  absl::Status status = WriteCheckpoint(pod, directory, id, std::move(manifest), &awake, grant.context);
  if (status.ok() && stop) return StopAfterCheckpoint(pod, directory, grant.request);
  const state::v1::Request done = status.ok() ? grant.request : state::v1::Request();
  if (status.ok()) LogInfo(pod.id(), absl::StrCat("checkpoint in ", directory));
  status = OfPod(status, pod.id(), "checkpoint");
  if (pod.state() == v1::POD_STATE_PAUSED) {
    status.Update(PauseAgain(pod, done, grant.context));
    return status;
  }
  if (!awake) {
    // Also when this is to end at once: a machine must not stand still without a daemon.
    (void)pod.machine()->Resume({absl::Now() + kResumeTime, nullptr});
    const absl::Status woken = WakeGuest(pod, {absl::Now() + options_.boot_timeout, grant.context.cancellation});
    // Whoever cancelled this, or the next daemon, goes on from the intent.
    if (!woken.ok() && !grant.context.cancellation->status().ok()) return status;
    if (!woken.ok()) pod.OnGuestLost(woken);
  }
  (void)pod.Change([&](state::v1::PodRecord& record) { SetDone(record, done); }, /*fact=*/true);
  return status;
}

absl::Status LivePodRuntime::WriteCheckpoint(Pod& pod, const std::string& directory, const std::string& id,
                                             CheckpointManifest manifest, bool* awake, const CallContext& context) {
  const std::shared_ptr<const v1::PodConfig> config = pod.config();
  manifest.pod_id = pod.id();
  manifest.vcd_version = options_.version;
  manifest.created_at = absl::Now();
  VCD_ASSIGN_OR_RETURN(const std::unique_ptr<CheckpointWriter> writer,
                       CheckpointWriter::Begin(filesystem_, directory, id));
  const bool paused = pod.state() == v1::POD_STATE_PAUSED;
  // Nobody has spoken to it since it was last saved, or since vcd came. A machine is saved again only once it has gone
  // on, and its guest must have heard who comes and goes.
  if (paused && pod.session() == nullptr) VCD_RETURN_IF_ERROR(WakeGuest(pod, context));
  *awake = false;
  pod.SetStandsStill(true);
  // Whoever connects to what is saved meets a guest to which nobody is connected.
  pod.guest().Suspend().reset();
  pod.RecordExits();
  const state::v1::PodRecord record = pod.record();
  VCD_RETURN_IF_ERROR(ExplainFullDisk(pod.machine()->SaveImage(writer->image_dir(), context), directory, kMakeRoom));
  VCD_RETURN_IF_ERROR(ExplainFullDisk(KeepWrittenDisks(record, *writer, context), directory, kMakeRoom));
  if (!manifest.stopped && !paused) {
    // The rest does not need it to stand still.
    VCD_RETURN_IF_ERROR(WakeGuest(pod, context));
    *awake = true;
  }
  VCD_ASSIGN_OR_RETURN(manifest.disks, DescribeDisks(record, disk_digests_, context));
  return ExplainFullDisk(writer->Finish(manifest, *config, RecordForCheckpoint(record), context), directory, kMakeRoom);
}

absl::Status LivePodRuntime::StopAfterCheckpoint(Pod& pod, const std::string& directory,
                                                 const state::v1::Request& request) {
  (void)pod.Change(
      [&](state::v1::PodRecord& record) {
        SetUnderWay(record, state::v1::INTENT_STOP, request);
        record.set_state(v1::POD_STATE_STOPPING);
      },
      /*fact=*/true);
  TearDownOptions options;
  // What would be asked to end is in the checkpoint as it runs.
  options.orderly = false;
  options.end = KilledStatus();
  options.reason = absl::StrCat("its checkpoint is in ", directory);
  options.request = request;
  VCD_RETURN_IF_ERROR(TearDown(pod, environment_, options).status());
  LogInfo(pod.id(), absl::StrCat("stopped; ", options.reason));
  pod.Tell(v1::EVENT_TYPE_POD_STOPPED, "", "", std::nullopt, options.reason);
  return absl::OkStatus();
}

std::optional<CheckpointManifest> LivePodRuntime::SettleCheckpoint(Pod& pod, const state::v1::Operation& under_way) {
  absl::StatusOr<std::optional<CheckpointManifest>> settled = SettleMaking(filesystem_, under_way.making());
  if (settled.ok()) return *std::move(settled);
  LogError(pod.id(), absl::StrCat("half a checkpoint stays: ", settled.status().message()));
  return std::nullopt;
}

void LivePodRuntime::RestorePod(const std::string& directory, const std::string& pod_id, const MutationOptions& options,
                                PodCallback done) {
  Operation operation;
  operation.name = "RestorePod";
  operation.options = options;
  operation.fingerprint = RequestFingerprint({operation.name, directory, pod_id});
  operation.boots = [](const Pod& pod) { return NeedOf(pod); };
  if (directory.empty() || directory[0] != '/') {
    return done(InvalidField("directory", absl::StrCat("\"", directory, "\" is no absolute path")));
  }
  if (!pod_id.empty()) {
    if (const absl::Status valid = ValidateId("pod_id", pod_id); !valid.ok()) return done(valid);
  }
  // On a worker, because the id may have to be read first: one that joins this request needs it too.
  work_.Post([this, directory, pod_id, operation, done = std::move(done)] {
    std::string id = pod_id;
    if (id.empty()) {
      const absl::StatusOr<CheckpointManifest> manifest = ReadCheckpointManifest(directory);
      if (!manifest.ok()) return done(manifest.status());
      id = manifest->pod_id;
    }
    const DoneCallback entered = Enter(operation, [this, id, done](const absl::Status& status) {
      if (!status.ok()) return done(status);
      absl::StatusOr<std::shared_ptr<const PodSnapshot>> snapshot = registry_.Snapshot(id);
      snapshot.ok() ? done((*snapshot)->Unpack()) : done(snapshot.status());
    });
    if (entered != nullptr) Restore(directory, id, operation, entered);
  });
}

void LivePodRuntime::Restore(const std::string& directory, const std::string& pod_id, const Operation& operation,
                             const DoneCallback& done) {
  const auto again = [this, directory, pod_id, done](const Operation& operation) {
    Restore(directory, pod_id, operation, done);
  };
  // Before a long reading; what is added meanwhile is found later.
  if (registry_.Find(pod_id).ok()) return RepeatMake(pod_id, operation, PodIdTaken(pod_id), again, done);
  checkpoint_share_.Run(pod_id, operation.options.deadline, leaving_,
                        [this, directory, pod_id, operation, done](const absl::Status& turn) {
                          if (turn.ok()) return RestoreInTurn(directory, pod_id, operation, done);
                          done(OfPod(turn, pod_id, "restore"));
                        });
}

void LivePodRuntime::RestoreInTurn(const std::string& directory, const std::string& pod_id, const Operation& operation,
                                   const DoneCallback& done) {
  Operation restoring = operation;
  auto creation = std::make_shared<Creation>();
  auto checkpoint = std::make_shared<Checkpoint>();
  absl::StatusOr<v1::PodConfig> config = v1::PodConfig();
  const absl::Status fit = [&]() -> absl::Status {
    VCD_ASSIGN_OR_RETURN(const CheckpointManifest manifest, ReadCheckpointManifest(directory));
    uint64_t bytes = 0;
    for (const CheckpointFile& file : manifest.files) bytes += file.bytes;
    for (const CheckpointFile& disk : manifest.disks) bytes += disk.bytes;
    restoring.ceiling = TimeFor(bytes) + options_.boot_timeout;
    // Nobody is served by a reading that goes on when its caller has gone.
    const CallContext context{std::min(absl::Now() + restoring.ceiling, operation.options.deadline), &leaving_};
    VCD_ASSIGN_OR_RETURN(*checkpoint, ReadCheckpoint(directory, context));
    VCD_RETURN_IF_ERROR(CheckConsistent(*checkpoint, directory));
    // Where they are now: they are looked at as those of any pod that is made.
    MoveWrittenDisks(checkpoint->disks_dir, &checkpoint->config, &checkpoint->record);
    v1::PodConfig asked = checkpoint->config;
    asked.set_hostname(HostnameAfter(*checkpoint, pod_id));
    asked.set_id(pod_id);
    config = Prepare(std::move(asked), context);
    VCD_RETURN_IF_ERROR(context.Check("look at what the checkpoint's pod is made of"));
    if (!config.ok()) {
      return CheckpointUnfit(absl::StatusCode::kFailedPrecondition, directory,
                             absl::StrCat("no pod can be made of its pod.json: ", config.status().message()));
    }
    VCD_RETURN_IF_ERROR(CheckRestorable(*checkpoint, directory, *config,
                                        *backends_.hypervisors.at(config->hypervisor()), disk_digests_, context));
    MoveWrittenDisks(absl::StrCat(store_.layout().PodStateDir(pod_id), "/disks"), &*config, &checkpoint->record);
    return absl::OkStatus();
  }();
  if (!fit.ok()) return done(WithMetadata(fit, "pod_id", pod_id));
  creation->checkpoint = checkpoint;
  if (WritesDisks(checkpoint->record)) restoring.share = &checkpoint_share_;
  restoring.first = [this, creation](Pod& pod, Grant& grant) { return BeginCreation(pod, *creation, grant); };
  Appear(
      MakePod(*config, RecordForRestore(*checkpoint, pod_id)), restoring,
      [this, creation](Pod& pod, Grant& grant) {
        VCD_RETURN_IF_ERROR(FinishCreation(pod, *creation, grant));
        EndCopies(pod, grant.context);
        return absl::OkStatus();
      },
      [this, directory, pod_id, done](const Operation& operation) { Restore(directory, pod_id, operation, done); },
      done);
}

}  // namespace vcd

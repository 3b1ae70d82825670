// SPDX-License-Identifier: Apache-2.0
#include "core/pod/machine_start.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/hypervisor/process_record.h"
#include "core/log/logger.h"
#include "core/model/mounts.h"
#include "core/os/process_usage.h"
#include "core/pod/checkpoint_disks.h"
#include "core/pod/clean_up.h"
#include "core/pod/pod_lifecycle.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

VmSpec MachineOf(const Pod& pod) {
  const std::shared_ptr<const v1::PodConfig> config = pod.config();
  VmSpec spec;
  spec.pod_id = pod.id();
  spec.run_dir = pod.run_dir();
  spec.config = config->hypervisor_config();
  spec.annotations = {config->annotations().begin(), config->annotations().end()};
  return spec;
}

absl::StatusOr<std::unique_ptr<GuestSession>> Connect(Pod& pod, VirtualMachine& machine, const CallContext& context) {
  return pod.agent().Connect({pod.id(), pod.config()->hostname(), pod.machine_dir()}, machine, pod, context);
}

void TakeSession(Pod& pod, std::unique_ptr<GuestSession> session) {
  GuestSession* connected = session.get();
  pod.guest().Exchange(std::move(session));
  connected->Observe();
}

// How long the end of a machine may be seen after that of the link to its guest.
constexpr absl::Duration kEndTime = absl::Seconds(2);

// Why its guest cannot be reached: a machine that ends closes the link first, and only its end tells the reason.
absl::Status WhyNoGuest(Pod& pod, const absl::Status& status) {
  const std::optional<ErrorDetail> detail = DetailOf(status);
  if (!absl::IsUnavailable(status) || (detail.has_value() && detail->reason == v1::ERROR_REASON_VM_EXITED)) {
    return status;
  }
  const std::optional<std::string> end = pod.MachineEnd(kEndTime);
  return end.has_value() ? VmExited(pod.id(), *end) : status;
}

absl::Status Boot(Pod& pod, const VmSpec& spec, const CallContext& context, OperationClock& clock) {
  clock.Enter(OperationPhase::kVmmBoot);
  absl::StatusOr<std::unique_ptr<VirtualMachine>> machine = pod.hypervisor().Boot(spec, context);
  if (!machine.ok()) return Annotate(machine.status(), "boot the VM");
  // Watched from here on: what ends it now ends the operation.
  pod.SetMachine(*std::move(machine));
  clock.Enter(OperationPhase::kGuestConnect);
  absl::StatusOr<std::unique_ptr<GuestSession>> session = Connect(pod, *pod.machine(), context);
  if (!session.ok()) return Annotate(WhyNoGuest(pod, session.status()), "wait for the guest's agent");
  TakeSession(pod, *std::move(session));
  return absl::OkStatus();
}

// Nothing of it stays behind on failure. The machine is the pod's only once its guest has answered: its end before that
// is no reason to give the pod up.
absl::Status Clone(Pod& pod, const VmSpec& spec, const CallContext& context, OperationClock& clock) {
  clock.Enter(OperationPhase::kVmmBoot);
  VCD_ASSIGN_OR_RETURN(std::unique_ptr<VirtualMachine> machine, pod.hypervisor().Boot(spec, context));
  clock.Enter(OperationPhase::kGuestConnect);
  absl::StatusOr<std::unique_ptr<GuestSession>> session = Connect(pod, *machine, context);
  if (session.ok()) {
    pod.SetMachine(std::move(machine));
    TakeSession(pod, *std::move(session));
    return absl::OkStatus();
  }
  LogFailure(pod, "end a VM that is of no use", machine->Stop(StopMode::kForce, CleanUpContext()));
  machine.reset();
  LogFailure(pod, "clean the VM's directory", pod.hypervisor().Reap(pod.run_dir(), CleanUpContext()));
  return session.status();
}

// Ends and forgets the machine that had waited for the pod, where it has one that it does not use.
absl::Status EndWarmMachine(Pod& pod) {
  if (pod.warm_machine().empty()) return absl::OkStatus();
  VCD_RETURN_IF_ERROR(ReapRunDirs(pod, pod.hypervisor()));
  RemoveWarmDirectory(pod);
  // What is on disk names a directory that is gone, until the next change.
  (void)pod.Change([](state::v1::PodRecord& record) { record.clear_warm_machine(); }, /*fact=*/true);
  return absl::OkStatus();
}

// Makes one that waits the pod's and lets it go on. kNotFound when none waits; nothing of it stays behind on failure.
absl::Status TakeWarm(Pod& pod, Templates::Lease& lease, WarmMachines& warm, const VmSpec& spec,
                      const CallContext& context, OperationClock& clock) {
  clock.Enter(OperationPhase::kVmmBoot);
  // As for a boot: files may have changed since the pod was created. Who boots says it better.
  if (!pod.hypervisor().Resolve(spec.config, context).ok())
    return absl::NotFoundError("its files are not what they were");
  std::unique_ptr<WarmMachine> taken = lease.TakeWarm(spec.shared_memory);
  if (taken == nullptr) return absl::NotFoundError("no machine waits");
  // This write makes it the pod's: what a crash leaves before it still waits, and afterwards goes with the pod.
  const absl::Status written =
      pod.Change([&taken](state::v1::PodRecord& record) { record.set_warm_machine(taken->name); });
  if (!written.ok()) {
    warm.End(std::move(taken));
    return written;
  }
  absl::StatusOr<std::unique_ptr<GuestSession>> session = [&]() -> absl::StatusOr<std::unique_ptr<GuestSession>> {
    VCD_RETURN_IF_ERROR(warm.Claim(*taken));
    taken->machine->GiveTo(pod.id());
    VCD_RETURN_IF_ERROR(taken->machine->Resume(context));
    clock.Enter(OperationPhase::kGuestConnect);
    return Connect(pod, *taken->machine, context);
  }();
  if (session.ok()) {
    pod.SetMachine(std::move(taken->machine));
    TakeSession(pod, *std::move(session));
    return absl::OkStatus();
  }
  LogFailure(pod, "end a VM that is of no use", taken->machine->Stop(StopMode::kForce, CleanUpContext()));
  taken.reset();
  LogFailure(pod, "clean the VM's directory", EndWarmMachine(pod));
  return session.status();
}

}  // namespace

// A guest that may get directories of the host later needs memory that their server can share, and so do programs that
// serve its network interfaces.
bool NeedsSharedMemory(const v1::PodConfig& config) {
  return config.containers().empty() || !config.volumes().empty() ||
         !config.network_config().vhost_user_sockets().empty() ||
         std::any_of(config.containers().begin(), config.containers().end(), SharesDirectories);
}

absl::Status ReapRunDirs(const Pod& pod, Hypervisor& hypervisor) {
  absl::Status status = hypervisor.Reap(pod.run_dir(), CleanUpContext());
  if (!pod.warm_machine().empty()) status.Update(hypervisor.Reap(pod.machine_dir(), CleanUpContext()));
  return status;
}

void RemoveWarmDirectory(const Pod& pod) {
  const std::string name = pod.warm_machine();
  if (name.empty()) return;
  LogFailure(pod, "remove the VM's directory", pod.environment().templates.warm().RemoveDirectory(name, pod.run_dir()));
}

TemplateSubject SubjectOf(Hypervisor& hypervisor, Agent& agent, const v1::PodConfig& config,
                          const TemplateOptions& options) {
  TemplateSubject subject;
  subject.hypervisor = &hypervisor;
  subject.agent = &agent;
  subject.agent_name = config.agent();
  subject.trust_domain = config.trust_domain().empty() ? options.trust_domain : config.trust_domain();
  subject.config = config.hypervisor_config();
  return subject;
}

absl::StatusOr<MachineStart> StartMachine(Pod& pod, const PodEnvironment& environment, const std::string& netns_path,
                                          const CallContext& context, OperationClock& clock) {
  const std::shared_ptr<const v1::PodConfig> config = pod.config();
  Templates& templates = environment.templates;
  VCD_RETURN_IF_ERROR(EndWarmMachine(pod));
  VmSpec spec = MachineOf(pod);
  spec.shared_memory = NeedsSharedMemory(*config);
  spec.netns_path = netns_path;
  MachineStart start;
  absl::StatusOr<Templates::Lease> lease =
      config->disable_template()
          ? absl::StatusOr<Templates::Lease>(absl::FailedPreconditionError("the pod is not to be a clone"))
          : templates.Use(SubjectOf(pod.hypervisor(), pod.agent(), *config, templates.options()), context);
  if (lease.ok() && templates.options().warm_machines > 0) {
    const CallContext in_time = context.Within(templates.options().clone_timeout);
    const absl::Status taken = TakeWarm(pod, *lease, templates.warm(), spec, in_time, clock);
    const absl::Status in_vain = context.Check("start the VM that waited");
    // Taken or missed, the next one is to find one; nor is it its fault that nobody waits for it any more.
    const bool of_use = taken.ok() || absl::IsNotFound(taken) || !in_vain.ok();
    of_use ? lease->KeepWarm(spec.shared_memory) : lease->WarmFailed();
    if (taken.ok()) {
      lease->Succeeded();
      environment.metrics.MachineStarted(MachineStartKind::kWarm);
      return MachineStart{v1::VM_START_WARM, "", lease->key()};
    }
    VCD_RETURN_IF_ERROR(in_vain);
    if (!of_use) {
      LogWarning(pod.id(), absl::StrCat("starts anew, as the VM that waited for it failed: ", taken.message()));
    }
  }
  if (lease.ok()) {
    spec.image_dir = lease->directory();
    spec.image_shared = true;
    const absl::Status cloned = Clone(pod, spec, context.Within(templates.options().clone_timeout), clock);
    if (cloned.ok()) {
      lease->Succeeded();
      environment.metrics.MachineStarted(MachineStartKind::kClone);
      return MachineStart{v1::VM_START_CLONE, "", lease->key()};
    }
    // Not its fault.
    VCD_RETURN_IF_ERROR(context.Check("start the VM from a template"));
    lease->Failed(cloned);
    start.reason = absl::StrCat("the start from a template failed: ", cloned.message());
    LogWarning(pod.id(), absl::StrCat("boots, as ", start.reason));
    spec.image_dir.clear();
    spec.image_shared = false;
  } else {
    start.reason = std::string(lease.status().message());
  }
  VCD_RETURN_IF_ERROR(Boot(pod, spec, context, clock));
  environment.metrics.MachineStarted(lease.ok() ? MachineStartKind::kFallback : MachineStartKind::kCold);
  return start;
}

absl::StatusOr<MachineStart> RestoreMachine(Pod& pod, const Checkpoint& checkpoint, const PodEnvironment& environment,
                                            const std::string& netns_path, const CallContext& context,
                                            OperationClock& clock) {
  VCD_RETURN_IF_ERROR(EndWarmMachine(pod));
  VCD_RETURN_IF_ERROR(ClaimDisks(pod, checkpoint));
  VmSpec spec = MachineOf(pod);
  spec.netns_path = netns_path;
  spec.image_dir = checkpoint.image_dir;
  const auto& disks = checkpoint.record.vm().block_devices();
  spec.image_disks = {disks.begin(), disks.end()};
  clock.Enter(OperationPhase::kVmmBoot);
  absl::StatusOr<std::unique_ptr<VirtualMachine>> machine = pod.hypervisor().Boot(spec, context);
  if (!machine.ok()) return Annotate(machine.status(), "start the VM from the checkpoint");
  pod.SetMachine(*std::move(machine));
  clock.Enter(OperationPhase::kGuestConnect);
  // It has booted long ago, so it answers soon or never.
  VCD_RETURN_IF_ERROR(ReconnectGuest(pod, context.Within(environment.options.boot_timeout)));
  environment.metrics.MachineStarted(MachineStartKind::kRestored);
  return MachineStart{v1::VM_START_RESTORED, "", ""};
}

void MeasureClone(const Pod& pod, const MachineStart& start, Templates& templates) {
  if (start.how != v1::VM_START_CLONE || NeedsSharedMemory(*pod.config())) return;
  templates.MeasureClone(start.template_key, [&pod] {
    const absl::StatusOr<ProcessUsage> vmm = ReadProcessUsage(FromRecord(pod.machine()->Record().process()));
    return vmm.ok() ? vmm->anonymous_bytes : 0;
  });
}

void StopMachine(Pod& pod) {
  std::unique_ptr<GuestSession> session = pod.guest().Exchange(nullptr);
  session.reset();
  if (std::unique_ptr<VirtualMachine> machine = pod.TakeMachine()) {
    LogFailure(pod, "undo: stop the VM", machine->Stop(StopMode::kForce, CleanUpContext()));
  }
  absl::Status reaped = pod.hypervisor().Reap(pod.run_dir(), CleanUpContext());
  if (reaped.ok()) reaped = EndWarmMachine(pod);
  LogFailure(pod, "undo: clean the VM's directory", reaped);
  if (reaped.ok()) pod.ReleaseDisks();
}

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "core/pod/machine_start.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/hypervisor/process_record.h"
#include "core/log/logger.h"
#include "core/model/mounts.h"
#include "core/os/process_usage.h"
#include "core/pod/clean_up.h"
#include "core/pod/pod_checkpoint.h"
#include "core/pod/pod_lifecycle.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

VmSpec MachineOf(const Pod& pod) {
  const v1::PodConfig config = pod.config();
  VmSpec spec;
  spec.pod_id = pod.id();
  spec.run_dir = pod.run_dir();
  spec.config = config.hypervisor_config();
  spec.annotations = {config.annotations().begin(), config.annotations().end()};
  return spec;
}

absl::StatusOr<std::unique_ptr<GuestSession>> Connect(Pod& pod, VirtualMachine& machine, const CallContext& context) {
  return pod.agent().Connect({pod.id(), pod.config().hostname(), pod.run_dir()}, machine, pod, context);
}

void TakeSession(Pod& pod, std::unique_ptr<GuestSession> session) {
  GuestSession* connected = session.get();
  pod.guest().Exchange(std::move(session));
  connected->Observe();
}

absl::Status Boot(Pod& pod, const VmSpec& spec, const CallContext& context, OperationClock& clock) {
  clock.Enter(OperationPhase::kVmmBoot);
  absl::StatusOr<std::unique_ptr<VirtualMachine>> machine = pod.hypervisor().Boot(spec, context);
  if (!machine.ok()) return Annotate(machine.status(), "boot the VM");
  // Watched from here on: what ends it now ends the operation.
  pod.SetMachine(*std::move(machine));
  clock.Enter(OperationPhase::kGuestConnect);
  absl::StatusOr<std::unique_ptr<GuestSession>> session = Connect(pod, *pod.machine(), context);
  if (!session.ok()) return Annotate(session.status(), "wait for the guest's agent");
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

}  // namespace

// A guest that may get directories of the host later needs memory that their server can share, and so do programs that
// serve its network interfaces.
bool NeedsSharedMemory(const v1::PodConfig& config) {
  return config.containers().empty() || !config.volumes().empty() ||
         !config.network_config().vhost_user_sockets().empty() ||
         std::any_of(config.containers().begin(), config.containers().end(), SharesDirectories);
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
  const v1::PodConfig config = pod.config();
  Templates& templates = environment.templates;
  VmSpec spec = MachineOf(pod);
  spec.shared_memory = NeedsSharedMemory(config);
  spec.netns_path = netns_path;
  MachineStart start;
  absl::StatusOr<Templates::Lease> lease =
      config.disable_template()
          ? absl::StatusOr<Templates::Lease>(absl::FailedPreconditionError("the pod is not to be a clone"))
          : templates.Use(SubjectOf(pod.hypervisor(), pod.agent(), config, templates.options()), context);
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
  if (start.how != v1::VM_START_CLONE || NeedsSharedMemory(pod.config())) return;
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
  const absl::Status reaped = pod.hypervisor().Reap(pod.run_dir(), CleanUpContext());
  LogFailure(pod, "undo: clean the VM's directory", reaped);
  if (reaped.ok()) pod.ReleaseDisks();
}

}  // namespace vcd

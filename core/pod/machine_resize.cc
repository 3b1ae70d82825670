// SPDX-License-Identifier: Apache-2.0
#include "core/pod/machine_resize.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/log/logger.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// A guest that shall give memory up again that it has just got needs time for it.
constexpr absl::Duration kUndoTime = absl::Seconds(20);

// A guest without processes has nobody who could use more of its CPUs, or fewer.
absl::Status SetCpus(Pod& pod, uint32_t vcpus, const CallContext& context) {
  if (!pod.agent().capabilities().runs_processes) return absl::OkStatus();
  return pod.session()->SetCpus(vcpus, context);
}

absl::StatusOr<VmSize> Move(Pod& pod, const VmSize& from, const VmSize& to, const CallContext& context) {
  // What goes leaves the guest before the machine, and what comes is in the machine first.
  if (to.vcpus < from.vcpus) VCD_RETURN_IF_ERROR(SetCpus(pod, to.vcpus, context));
  VCD_ASSIGN_OR_RETURN(VmSize now, pod.machine()->Resize(to, context));
  if (to.vcpus > from.vcpus) VCD_RETURN_IF_ERROR(SetCpus(pod, to.vcpus, context));
  now.vcpus = to.vcpus;
  return now;
}

}  // namespace

VmSize SizeOf(const v1::HypervisorConfig& config) { return {config.default_vcpus(), config.default_memory_mib()}; }

absl::StatusOr<VmSize> ResizeMachine(Pod& pod, const VmSize& from, const VmSize& to, const CallContext& context) {
  const absl::StatusOr<VmSize> moved = Move(pod, from, to, context);
  if (moved.ok()) return moved;
  const CallContext undo{absl::Now() + kUndoTime, nullptr};
  absl::Status undone = pod.machine()->Resize({0, from.memory_mib}, undo).status();
  if (to.vcpus != from.vcpus) undone.Update(SetCpus(pod, from.vcpus, undo));
  if (!undone.ok()) LogError(pod.id(), absl::StrCat("undo: resize the machine: ", undone.message()));
  return moved.status();
}

void FinishResize(Pod& pod, const CallContext& context) {
  if (!pod.hypervisor().capabilities().resize) return;
  const state::v1::VirtualMachine vm = pod.machine()->Record();
  VmSize to = SizeOf(pod.config()->hypervisor_config());
  // One that booted with all that it has needs nothing; of one with more vCPUs it is not known which are online.
  if (to.vcpus == 0 || vm.vcpus() == 0 || (vm.memory_mib() == to.memory_mib && vm.vcpus() == 1 && to.vcpus == 1))
    return;
  const absl::Status status = [&]() -> absl::Status {
    VCD_RETURN_IF_ERROR(pod.machine()->Resize(to, context).status());
    return SetCpus(pod, to.vcpus, context);
  }();
  if (!status.ok()) {
    LogWarning(pod.id(), absl::StrCat("the machine does not get to ", to.vcpus, " vCPUs and ", to.memory_mib,
                                      " MiB: ", status.message()));
  }
}

}  // namespace vcd

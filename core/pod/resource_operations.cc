// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/hypervisor/machine_size.h"
#include "core/log/logger.h"
#include "core/model/container_limits.h"
#include "core/model/field_checks.h"
#include "core/model/pod_validation.h"
#include "core/model/request_id.h"
#include "core/pod/live_pod_runtime.h"
#include "core/pod/machine_resize.h"
#include "core/pod/pod_state_machine.h"
#include "core/pod/vm_usage.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

// How long a guest may take to say what it uses. Beyond, the pod's figures come without the guest's.
constexpr absl::Duration kLookTime = absl::Seconds(5);

absl::StatusOr<v1::Container> CheckContainer(const Pod& pod, PodOperation operation, const std::string& container_id) {
  VCD_RETURN_IF_ERROR(CheckOperation(operation, pod.id(), pod.state()));
  VCD_ASSIGN_OR_RETURN(v1::Container container, pod.ViewContainer(container_id));
  VCD_RETURN_IF_ERROR(CheckOperation(operation, pod.id(), container_id, container.state()));
  return container;
}

absl::Status SetResources(Pod& pod, const std::string& container_id, const v1::ContainerResources& resources) {
  return pod.ChangeConfig([&](v1::PodConfig& config) {
    for (v1::ContainerConfig& container : *config.mutable_containers()) {
      if (container.id() == container_id) *container.mutable_resources() = resources;
    }
  });
}

// The configuration with another size of its machine; what is 0 stays.
v1::PodConfig WithSize(v1::PodConfig config, const VmSize& size) {
  if (size.vcpus != 0) {
    config.mutable_resources()->set_vcpus(size.vcpus);
    config.mutable_hypervisor_config()->set_default_vcpus(size.vcpus);
  }
  if (size.memory_mib != 0) {
    config.mutable_resources()->set_memory_mib(size.memory_mib);
    config.mutable_hypervisor_config()->set_default_memory_mib(size.memory_mib);
  }
  return config;
}

absl::Status CheckLimit(const char* field, uint32_t value, uint32_t most) {
  if (most == 0 || value <= most) return absl::OkStatus();
  return InvalidField(field, absl::StrCat(value, "; the pod was made for ", most, " at most"));
}

}  // namespace

void LivePodRuntime::UpdatePod(const std::string& pod_id, const v1::VmResources& resources,
                               const MutationOptions& options, PodCallback done) {
  Operation operation;
  operation.name = "UpdatePod";
  operation.options = options;
  operation.fingerprint = RequestFingerprint({operation.name, pod_id, FingerprintPart(resources)});
  // A guest takes seconds for each GiB that it gives back.
  operation.ceiling = absl::Minutes(2);
  SubmitForPod(
      pod_id, operation, [this, resources](Pod& pod, Grant& grant) { return UpdateBody(pod, resources, grant); },
      std::move(done));
}

absl::Status LivePodRuntime::UpdateBody(Pod& pod, const v1::VmResources& resources, const Grant& grant) {
  VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kUpdate, pod.id(), pod.state()));
  const std::shared_ptr<const v1::PodConfig> before = pod.config();
  const v1::PodConfig asked = WithSize(*before, {resources.vcpus(), resources.memory_mib()});
  if (resources.vcpus() == 0 && resources.memory_mib() == 0) {
    return InvalidField("resources", "names neither vCPUs nor memory to change");
  }
  const bool has_machine = pod.state() != v1::POD_STATE_STOPPED;
  if (has_machine && !pod.hypervisor().capabilities().resize) {
    return NotImplementedField("resources", absl::StrCat("resizing machines of hypervisor ", before->hypervisor()));
  }
  VCD_RETURN_IF_ERROR(CheckLimit("resources.vcpus", resources.vcpus(), before->hypervisor_config().max_vcpus()));
  VCD_RETURN_IF_ERROR(
      CheckLimit("resources.memory_mib", resources.memory_mib(), before->hypervisor_config().max_memory_mib()));
  VCD_RETURN_IF_ERROR(CheckMachineSize(asked.hypervisor_config()));

  // First where it lasts: after a crash in between recovery takes the machine to it.
  VCD_RETURN_IF_ERROR(pod.ChangeConfig([&](v1::PodConfig& config) { config = asked; }));
  if (!has_machine) return pod.RememberDone(grant.request);
  const absl::StatusOr<VmSize> now =
      ResizeMachine(pod, SizeOf(before->hypervisor_config()), SizeOf(asked.hypervisor_config()), grant.context);
  if (!now.ok()) {
    const absl::Status restored = pod.ChangeConfig([&](v1::PodConfig& config) { config = *before; });
    if (!restored.ok()) LogError(pod.id(), absl::StrCat("undo: configuration: ", restored.message()));
    return Annotate(now.status(), absl::StrCat("pod ", pod.id(), ": resize the VM"));
  }
  VCD_RETURN_IF_ERROR(pod.ChangeConfig([&](v1::PodConfig& config) { config = WithSize(asked, *now); }));
  VCD_RETURN_IF_ERROR(pod.Change(
      [&](state::v1::PodRecord& record) {
        *record.mutable_vm() = pod.machine()->Record();
        Remember(record, grant.request);
      },
      /*fact=*/true));
  const std::string size = absl::StrCat(now->vcpus, " vCPUs, ", now->memory_mib, " MiB");
  LogInfo(pod.id(), absl::StrCat("resized: ", size));
  pod.Tell(v1::EVENT_TYPE_POD_RESIZED, "", "", std::nullopt, size);
  return absl::OkStatus();
}

void LivePodRuntime::UpdateContainer(const std::string& pod_id, const std::string& container_id,
                                     const v1::ContainerResources& change, const MutationOptions& options,
                                     ContainerCallback done) {
  Operation operation;
  operation.name = "UpdateContainer";
  operation.options = options;
  operation.fingerprint = RequestFingerprint({operation.name, pod_id, container_id, FingerprintPart(change)});
  operation.ceiling = absl::Seconds(30);
  SubmitForContainer(
      pod_id, container_id, operation,
      [this, container_id, change](Pod& pod, Grant& grant) {
        return UpdateContainerBody(pod, container_id, change, grant);
      },
      std::move(done));
}

absl::Status LivePodRuntime::UpdateContainerBody(Pod& pod, const std::string& container_id,
                                                 const v1::ContainerResources& change, const Grant& grant) {
  VCD_ASSIGN_OR_RETURN(const v1::Container container,
                       CheckContainer(pod, PodOperation::kUpdateContainer, container_id));
  if (!pod.agent().capabilities().runs_processes) {
    return NotImplementedField("resources", "limits of containers without processes");
  }
  VCD_RETURN_IF_ERROR(ValidateContainerResources(change, "resources"));
  const v1::ContainerResources& before = container.config().resources();
  const v1::ContainerResources all = ChangedResources(before, change);
  // Limits that are right by themselves may not be so together.
  VCD_RETURN_IF_ERROR(ValidateContainerResources(all, "resources"));
  if (CgroupFiles(change, all).empty()) return InvalidField("resources", "names no limit to change");
  v1::PodConfig grown = *pod.config();
  *grown.add_containers()->mutable_resources() = all;
  VCD_RETURN_IF_ERROR(CheckConfigSize(grown));

  // First where it lasts: after a crash in between the container has its new limits from its next life on, and the
  // request, repeated, has its effect.
  VCD_RETURN_IF_ERROR(SetResources(pod, container_id, all));
  const absl::Status updated = pod.session()->UpdateResources(container_id, change, all, grant.context);
  if (!updated.ok()) {
    const absl::Status restored = SetResources(pod, container_id, before);
    if (!restored.ok()) LogError(pod.id(), absl::StrCat("undo: limits of ", container_id, ": ", restored.message()));
    return WithMetadata(OfPod(updated, pod.id()), "container_id", container_id);
  }
  LogInfo(pod.id(), absl::StrCat("container ", container_id, ": limits changed"));
  return pod.RememberDone(grant.request);
}

template <typename T>
void LivePodRuntime::SubmitLook(const std::string& name, const std::string& pod_id, absl::Time deadline,
                                std::function<absl::StatusOr<T>(Pod&, const CallContext&)> look,
                                std::function<void(absl::StatusOr<T>)> done) {
  Operation operation;
  operation.name = name;
  operation.options.deadline = deadline;
  operation.mode = LockMode::kShared;
  operation.ceiling = kLookTime;
  auto seen = std::make_shared<std::optional<T>>();
  Submit(
      pod_id, operation,
      [seen, look = std::move(look)](Pod& pod, Grant& grant) {
        VCD_ASSIGN_OR_RETURN(*seen, look(pod, grant.context));
        return absl::OkStatus();
      },
      [seen, done = std::move(done)](const absl::Status& status) {
        status.ok() ? done(std::move(**seen)) : done(status);
      });
}

void LivePodRuntime::ListProcesses(const std::string& pod_id, const std::string& container_id, absl::Time deadline,
                                   ProcessesCallback done) {
  SubmitLook<std::vector<v1::ProcessInfo>>(
      "ListProcesses", pod_id, deadline,
      [container_id](Pod& pod, const CallContext& context) -> absl::StatusOr<std::vector<v1::ProcessInfo>> {
        VCD_RETURN_IF_ERROR(CheckContainer(pod, PodOperation::kInspect, container_id).status());
        return pod.session()->ListProcesses(container_id, context);
      },
      std::move(done));
}

void LivePodRuntime::GetContainerStats(const std::string& pod_id, const std::string& container_id, absl::Time deadline,
                                       ContainerStatsCallback done) {
  SubmitLook<v1::ContainerStats>(
      "GetContainerStats", pod_id, deadline,
      [container_id](Pod& pod, const CallContext& context) -> absl::StatusOr<v1::ContainerStats> {
        VCD_RETURN_IF_ERROR(CheckContainer(pod, PodOperation::kInspect, container_id).status());
        VCD_ASSIGN_OR_RETURN(GuestUsage usage, pod.session()->GetUsage(container_id, context));
        for (v1::ContainerStats& stats : usage.containers) {
          if (stats.container_id() == container_id) return std::move(stats);
        }
        return absl::InternalError(absl::StrCat("container ", container_id, " of pod ", pod.id(),
                                                ": its guest told of others, and not of it"));
      },
      std::move(done));
}

void LivePodRuntime::GetPodStats(const std::string& pod_id, absl::Time deadline, PodStatsCallback done) {
  SubmitLook<v1::PodStats>(
      "GetPodStats", pod_id, deadline,
      [](Pod& pod, const CallContext& context) -> absl::StatusOr<v1::PodStats> {
        VCD_RETURN_IF_ERROR(CheckOperation(PodOperation::kMeasure, pod.id(), pod.state()));
        v1::PodStats stats;
        stats.set_pod_id(pod.id());
        StampNow(stats.mutable_time());
        if (std::optional<v1::VmStats> vm = ReadVmUsage(pod.record().vm())) *stats.mutable_vm() = *std::move(vm);
        // A guest that stands still answers nothing, and one without processes has nothing to tell.
        if (pod.state() == v1::POD_STATE_PAUSED || pod.session() == nullptr ||
            !pod.agent().capabilities().runs_processes) {
          return stats;
        }
        absl::StatusOr<GuestUsage> usage = pod.session()->GetUsage("", context);
        if (!usage.ok()) {
          LogWarning(pod.id(), absl::StrCat("figures without the guest's: ", usage.status().message()));
          return stats;
        }
        *stats.mutable_guest() = std::move(usage->guest);
        const state::v1::PodRecord record = pod.record();
        for (const state::v1::ContainerRecord& container : record.containers()) {
          for (v1::ContainerStats& used : usage->containers) {
            if (used.container_id() == container.id()) *stats.add_containers() = std::move(used);
          }
        }
        return stats;
      },
      std::move(done));
}

}  // namespace vcd

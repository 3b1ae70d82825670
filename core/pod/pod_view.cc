// SPDX-License-Identifier: Apache-2.0
#include "core/pod/pod_view.h"

#include <unistd.h>

#include <algorithm>

#include "core/confinement/uid_blocks.h"
#include "core/model/utf8.h"

namespace vcd {

v1::Container MakeContainerView(const std::string& pod_id, const v1::ContainerConfig& config,
                                const state::v1::ContainerRecord* record) {
  v1::Container view;
  view.set_id(config.id());
  view.set_pod_id(pod_id);
  *view.mutable_config() = config;
  if (record == nullptr) {
    view.set_state(v1::CONTAINER_STATE_STOPPED);
    return view;
  }
  view.set_state(record->state());
  // Reasons quote what QEMU, the guest and the kernel say.
  view.set_reason(ToUtf8(record->reason()));
  view.set_guest_pid(record->guest_pid());
  if (record->has_exit_status()) *view.mutable_exit_status() = record->exit_status();
  if (record->has_created_at()) *view.mutable_created_at() = record->created_at();
  if (record->has_started_at()) *view.mutable_started_at() = record->started_at();
  if (record->has_finished_at()) *view.mutable_finished_at() = record->finished_at();
  return view;
}

v1::Pod MakePodView(const v1::PodConfig& config, const state::v1::PodRecord& record) {
  v1::Pod view;
  view.set_id(record.pod_id());
  view.set_state(record.state());
  view.set_reason(ToUtf8(record.reason()));
  if (record.has_vm()) {
    view.mutable_vm()->set_pid(record.vm().process().pid());
    view.mutable_vm()->set_accelerator(record.vm().accelerator());
    view.mutable_vm()->set_guest_kernel(record.guest_kernel());
    view.mutable_vm()->set_agent_version(record.agent_version());
    const uint32_t first_uid = record.vm().first_uid();
    view.mutable_vm()->set_user_id(first_uid == 0 ? geteuid() : first_uid + UidBlocks::kVmmUid);
    view.mutable_vm()->set_cgroup(record.vm().cgroup());
    // Those beyond what the pod was last given are plugged in, but the guest does without them.
    view.mutable_vm()->set_vcpus(std::min(record.vm().vcpus(), config.hypervisor_config().default_vcpus()));
    view.mutable_vm()->set_memory_mib(record.vm().memory_mib());
    view.mutable_vm()->set_machine_type(record.vm().machine_type());
    view.mutable_vm()->set_start(record.vm_start());
    view.mutable_vm()->set_start_reason(ToUtf8(record.vm_start_reason()));
    view.mutable_vm()->set_template_key(record.template_key());
  }
  // What is on its way in or out (pod_network.h) is not the pod's.
  if (record.network().ByteSizeLong() != 0) {
    *view.mutable_network() = record.network();
    auto& interfaces = *view.mutable_network()->mutable_interfaces();
    interfaces.erase(std::remove_if(interfaces.begin(), interfaces.end(),
                                    [](const v1::PodInterface& interface) { return interface.mac().empty(); }),
                     interfaces.end());
  }
  for (const v1::ContainerConfig& container : config.containers()) {
    const state::v1::ContainerRecord* known = nullptr;
    for (const state::v1::ContainerRecord& candidate : record.containers()) {
      if (candidate.id() == container.id()) known = &candidate;
    }
    *view.add_containers() = MakeContainerView(record.pod_id(), container, known);
  }
  if (record.has_created_at()) *view.mutable_created_at() = record.created_at();
  if (record.has_started_at()) *view.mutable_started_at() = record.started_at();
  if (record.has_finished_at()) *view.mutable_finished_at() = record.finished_at();
  if (record.has_boot_timeline()) *view.mutable_boot_timeline() = record.boot_timeline();
  *view.mutable_config() = config;
  view.mutable_config()->clear_containers();
  return view;
}

}  // namespace vcd

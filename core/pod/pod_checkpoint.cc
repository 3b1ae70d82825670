// SPDX-License-Identifier: Apache-2.0
#include "core/pod/pod_checkpoint.h"

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/model/mounts.h"
#include "core/pod/checkpoint_consistency.h"
#include "core/pod/checkpoint_disks.h"
#include "core/pod/pod_network.h"
#include "core/pod/pod_record.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

absl::Status NotHeld(const std::string& pod_id, absl::string_view what, absl::string_view next) {
  return WithDetail(
      absl::FailedPreconditionError(absl::StrCat("pod ", pod_id, ": ", what, ", which no checkpoint holds; ", next)),
      {v1::ERROR_REASON_NOT_IMPLEMENTED, {{"pod_id", pod_id}}});
}

absl::Status CheckMachine(const Pod& pod, const v1::PodConfig& config, const state::v1::VirtualMachine& machine) {
  const std::string& id = pod.id();
  if (!pod.hypervisor().capabilities().images) {
    return NotHeld(id, absl::StrCat("its machine is one of hypervisor ", config.hypervisor()), "make it with `qemu`");
  }
  if (!pod.agent().capabilities().ReadsRootfs()) {
    return NotHeld(id, absl::StrCat("its agent is ", config.agent()), "make it with `native`");
  }
  const v1::HypervisorConfig& boot = config.hypervisor_config();
  if (machine.vcpus() != boot.default_vcpus() || machine.memory_mib() != boot.default_memory_mib()) {
    return NotHeld(id, "its vCPUs or memory were changed while it ran", "stop it and start it again first");
  }
  return absl::OkStatus();
}

// What another program or the host's hardware is a half of.
absl::Status CheckNetwork(const std::string& id, const v1::NetworkConfig& config, const v1::NetworkStatus& network) {
  if (config.netns_pid() != 0) {
    return NotHeld(id, absl::StrCat("its network namespace is that of process ", config.netns_pid()),
                   "as that number may be another process's by then, name the namespace by a path");
  }
  for (const v1::PodInterface& interface : network.interfaces()) {
    const std::string what = absl::StrCat("its network interface ", interface.name());
    const auto served = config.vhost_user_sockets().find(interface.name());
    if (!interface.pci_address().empty()) {
      return NotHeld(id, absl::StrCat(what, " is device ", interface.pci_address(), " of the host"), "detach it first");
    }
    if (served != config.vhost_user_sockets().end()) {
      return NotHeld(id, absl::StrCat(what, " is served by the program at ", served->second), "detach it first");
    }
    if (!IsJoined(interface)) return NotHeld(id, absl::StrCat(what, " is on its way in or out"), "detach it first");
  }
  return absl::OkStatus();
}

absl::Status CheckDevices(const std::string& id, const v1::PodConfig& config, const state::v1::PodRecord& record) {
  const state::v1::VirtualMachine& machine = record.vm();
  if (!machine.shared_directories().empty()) {
    return NotHeld(id, absl::StrCat("it shares ", machine.shared_directories(0).host_path(), " with the host"),
                   "use root file systems from images, and no volumes or bind mounts");
  }
  for (const v1::ContainerConfig& container : config.containers()) {
    if (!SharesDirectories(container)) continue;
    return NotHeld(id, absl::StrCat("its container ", container.id(), ", which was stopped, shares files of the host"),
                   "delete the container first");
  }
  for (const state::v1::PciDevice& device : machine.pci_devices()) {
    if (device.host_address().empty()) continue;
    return NotHeld(id, absl::StrCat("it has device ", device.host_address(), " of the host"),
                   "delete the container that has it first");
  }
  return absl::OkStatus();
}

absl::Status Unfit(const std::string& directory, absl::string_view why) {
  return CheckpointUnfit(absl::StatusCode::kFailedPrecondition, directory, why);
}

absl::Status CheckDisks(const Checkpoint& checkpoint, const std::string& directory, FileDigestCache& digests,
                        const CallContext& context) {
  for (const CheckpointFile& expected : checkpoint.manifest.disks) {
    std::error_code error;
    const uint64_t bytes = std::filesystem::file_size(expected.path, error);
    // One of another size need not be read to the end.
    bool same = error || bytes == expected.bytes;
    if (same) {
      const absl::StatusOr<std::string> digest = digests.Sha512(expected.path, context);
      VCD_RETURN_IF_ERROR(context.Check("read the checkpoint's disks"));
      if (!digest.ok()) return Unfit(directory, absl::StrCat("its disk cannot be read: ", digest.status().message()));
      same = *digest == expected.digest;
    }
    if (!same) {
      return Unfit(directory, absl::StrCat("its disk ", expected.path,
                                           " holds something else than it did; put the file back that the pod had"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> CheckCheckpointable(const Pod& pod, const CallContext& context) {
  const std::shared_ptr<const v1::PodConfig> config = pod.config();
  const state::v1::PodRecord record = pod.record();
  VCD_RETURN_IF_ERROR(CheckMachine(pod, *config, record.vm()));
  VCD_RETURN_IF_ERROR(CheckNetwork(pod.id(), config->network_config(), record.network()));
  VCD_RETURN_IF_ERROR(CheckDevices(pod.id(), *config, record));
  const DiskProblem disks = FindDiskProblem(*config, record);
  if (!disks.what.empty()) return NotHeld(pod.id(), disks.what, disks.next);
  if (HasHooks(*config)) return NotHeld(pod.id(), "it has hooks, and what they did to the host", "use a pod without");
  absl::StatusOr<std::string> key = CheckpointKey(pod.hypervisor(), *config, context);
  if (!absl::IsFailedPrecondition(key.status())) return key;
  return NotHeld(pod.id(), absl::StrCat("its machine has ", key.status().message()), "use a pod without that");
}

absl::StatusOr<std::string> CheckpointKey(const Hypervisor& hypervisor, const v1::PodConfig& config,
                                          const CallContext& context) {
  VmSpec spec;
  spec.config = config.hypervisor_config();
  return hypervisor.ImageKey(spec, context);
}

state::v1::PodRecord RecordForCheckpoint(const state::v1::PodRecord& record) {
  state::v1::PodRecord kept;
  kept.set_pod_id(record.pod_id());
  kept.set_state(record.state());
  kept.set_guest_kernel(record.guest_kernel());
  kept.set_agent_version(record.agent_version());
  *kept.mutable_containers() = record.containers();
  *kept.mutable_created_at() = record.created_at();
  *kept.mutable_started_at() = record.started_at();
  *kept.mutable_vm()->mutable_block_devices() = record.vm().block_devices();
  kept.mutable_vm()->set_vcpus(record.vm().vcpus());
  kept.mutable_vm()->set_memory_mib(record.vm().memory_mib());
  kept.mutable_vm()->set_machine_type(record.vm().machine_type());
  return kept;
}

absl::Status CheckRestorable(const Checkpoint& checkpoint, const std::string& directory, const v1::PodConfig& config,
                             const Hypervisor& hypervisor, FileDigestCache& digests, const CallContext& context) {
  VCD_RETURN_IF_ERROR(CheckRecordedMachine(checkpoint, directory, config));
  const absl::StatusOr<std::string> key = CheckpointKey(hypervisor, config, context);
  VCD_RETURN_IF_ERROR(context.Check("look at what the checkpoint's machine is made of"));
  if (!key.ok()) return Unfit(directory, key.status().message());
  if (*key != checkpoint.manifest.image_key) {
    return Unfit(
        directory,
        absl::StrCat("is of another machine than this host makes: QEMU, firmware, kernel, initramfs, ",
                     "CPU and the host's kernel must be the same (key ", checkpoint.manifest.image_key.substr(0, 12),
                     ", here ", key->substr(0, 12), "); restore it where it was made"));
  }
  VmSpec spec;
  spec.config = config.hypervisor_config();
  spec.image_dir = checkpoint.image_dir;
  const absl::Status image = hypervisor.CheckImage(spec, context);
  if (!image.ok()) return CheckpointUnfit(image.code(), directory, image.message());
  return CheckDisks(checkpoint, directory, digests, context);
}

state::v1::PodRecord RecordForRestore(const Checkpoint& checkpoint, const std::string& pod_id) {
  state::v1::PodRecord record;
  record.set_pod_id(pod_id);
  record.set_state(v1::POD_STATE_CREATING);
  StampNow(record.mutable_created_at());
  *record.mutable_containers() = checkpoint.record.containers();
  for (state::v1::ContainerRecord& container : *record.mutable_containers()) {
    if (container.state() == v1::CONTAINER_STATE_PAUSED) container.set_state(v1::CONTAINER_STATE_RUNNING);
  }
  if (StateAfterRestore(checkpoint) == v1::POD_STATE_RUNNING) StampNow(record.mutable_started_at());
  return record;
}

v1::PodState StateAfterRestore(const Checkpoint& checkpoint) {
  return checkpoint.record.state() == v1::POD_STATE_READY ? v1::POD_STATE_READY : v1::POD_STATE_RUNNING;
}

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "core/pod/checkpoint_consistency.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/model/mounts.h"
#include "core/pod/checkpoint_disks.h"
#include "core/status/status_macros.h"

namespace vcd {
namespace {

constexpr char kConfig[] = "pod.json";
constexpr char kRecord[] = "record.json";

// As DiskSpec has them.
constexpr size_t kMaxDiskIdBytes = 16;
constexpr uint32_t kMaxLuns = 256;
constexpr char kVirtioBlk[] = "virtio-blk";
// PID_MAX_LIMIT of the kernel; the first is the agent's.
constexpr int32_t kMaxGuestPid = 1 << 22;

// What is wrong, for people; empty when nothing is. Here and below.
std::string ProblemOfConfig(const v1::PodConfig& config) {
  if (HasHooks(config)) return "has hooks";
  if (!config.volumes().empty()) return "has volumes";
  if (config.network_config().netns_pid() != 0) return "names a network namespace by a process";
  for (const v1::ContainerConfig& container : config.containers()) {
    if (SharesDirectories(container)) return absl::StrCat("has container ", container.id(), " share files of the host");
  }
  return "";
}

bool IsDiskId(const std::string& id) {
  return !id.empty() && id.size() <= kMaxDiskIdBytes && std::all_of(id.begin(), id.end(), [](unsigned char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
  });
}

bool IsPath(const std::string& path) { return !path.empty() && path[0] == '/' && path.find('\0') == std::string::npos; }

std::string ProblemOfDisks(const v1::PodConfig& config, const state::v1::VirtualMachine& machine) {
  const bool on_pci = config.hypervisor_config().block_device_driver() == kVirtioBlk;
  std::set<std::string> ids;
  std::set<uint32_t> places;
  // Whether any of those at a path is written.
  std::map<std::string, bool> paths;
  for (const state::v1::BlockDevice& disk : machine.block_devices()) {
    if (!IsDiskId(disk.id())) return absl::StrCat("\"", absl::CHexEscape(disk.id()), "\" is no id of a disk");
    if (!ids.insert(disk.id()).second) return absl::StrCat("tells of disk ", disk.id(), " twice");
    if (!IsPath(disk.path())) return absl::StrCat("disk ", disk.id(), " is at no absolute path");
    if (disk.driver() != (on_pci ? kVirtioBlk : "")) {
      return absl::StrCat("disk ", disk.id(), " is of another kind than those that ", kConfig, " asks for");
    }
    const uint32_t place = on_pci ? disk.slot() : disk.lun();
    if (!on_pci && place >= kMaxLuns) return absl::StrCat("disk ", disk.id(), " is at LUN ", place);
    if (!places.insert(place).second) return absl::StrCat("two disks are at place ", place);
    const auto [known, first] = paths.emplace(disk.path(), disk.writable());
    if (!first && (known->second || disk.writable())) {
      return absl::StrCat("disk ", disk.id(), " is the same as another, and written");
    }
  }
  return "";
}

bool IsLive(const state::v1::ContainerRecord& container) {
  return container.state() == v1::CONTAINER_STATE_READY || container.state() == v1::CONTAINER_STATE_RUNNING ||
         container.state() == v1::CONTAINER_STATE_PAUSED;
}

std::string ProblemOfState(const state::v1::ContainerRecord& container, std::set<int32_t>& guest_pids) {
  const std::string name = absl::StrCat("container ", container.id());
  const int32_t pid = container.guest_pid();
  if (container.removing() || !container.share_tag().empty() || !container.share_tags().empty() ||
      !container.pci_device_ids().empty()) {
    return absl::StrCat(name, " is in a state that no checkpoint is made in");
  }
  if (IsLive(container)) {
    if (container.has_exit_status() || container.has_finished_at()) {
      return absl::StrCat(name, " lives, and has ended");
    }
    if (pid <= 1 || pid > kMaxGuestPid || !guest_pids.insert(pid).second) {
      return absl::StrCat(name, " has process ", pid, " in the guest, which cannot be");
    }
    return "";
  }
  if (container.state() == v1::CONTAINER_STATE_FAILED) return "";
  if (container.state() != v1::CONTAINER_STATE_STOPPED) {
    return absl::StrCat(name, " is in a state that no checkpoint is made in");
  }
  return pid == 0 && container.has_finished_at() ? "" : absl::StrCat(name, " has ended, and lives");
}

std::string ProblemOfContainers(const v1::PodConfig& config, const state::v1::PodRecord& record) {
  std::set<std::string> disks, taken, configured, known;
  std::set<int32_t> guest_pids;
  for (const state::v1::BlockDevice& disk : record.vm().block_devices()) disks.insert(disk.id());
  for (const v1::ContainerConfig& container : config.containers()) configured.insert(container.id());
  for (const state::v1::ContainerRecord& container : record.containers()) {
    if (configured.count(container.id()) == 0 || !known.insert(container.id()).second) {
      return absl::StrCat("container \"", absl::CHexEscape(container.id()), "\" is none of those in ", kConfig);
    }
    if (std::string problem = ProblemOfState(container, guest_pids); !problem.empty()) return problem;
    std::vector<std::string> ids(container.disk_ids().begin(), container.disk_ids().end());
    if (!container.disk_id().empty()) ids.push_back(container.disk_id());
    for (const std::string& id : ids) {
      if (disks.count(id) == 0 || !taken.insert(id).second) {
        return absl::StrCat("container ", container.id(), " has no disk ", absl::CHexEscape(id));
      }
    }
  }
  return known.size() == configured.size() ? "" : absl::StrCat("does not tell of all containers of ", kConfig);
}

std::string ProblemOfRecord(const Checkpoint& checkpoint) {
  const state::v1::PodRecord& record = checkpoint.record;
  if (record.state() != v1::POD_STATE_READY && record.state() != v1::POD_STATE_RUNNING &&
      record.state() != v1::POD_STATE_PAUSED) {
    return "is of a pod without a machine";
  }
  if (!record.vm().shared_directories().empty() || !record.vm().pci_devices().empty() ||
      !record.network().interfaces().empty() || !record.volumes().empty()) {
    return "tells of what no checkpoint holds";
  }
  if (std::string problem = ProblemOfDisks(checkpoint.config, record.vm()); !problem.empty()) return problem;
  if (std::string problem = FindDiskContradiction(checkpoint); !problem.empty()) return problem;
  return ProblemOfContainers(checkpoint.config, record);
}

absl::Status Refuse(const std::string& directory, absl::string_view file, const std::string& problem) {
  if (problem.empty()) return absl::OkStatus();
  return CheckpointUnfit(absl::StatusCode::kDataLoss, directory, absl::StrCat(file, ": ", problem));
}

}  // namespace

bool HasHooks(const v1::PodConfig& config) {
  return config.hooks().ByteSizeLong() != 0 ||
         std::any_of(config.containers().begin(), config.containers().end(),
                     [](const v1::ContainerConfig& container) { return container.hooks().ByteSizeLong() != 0; });
}

absl::Status CheckConsistent(const Checkpoint& checkpoint, const std::string& directory) {
  VCD_RETURN_IF_ERROR(Refuse(directory, kConfig, ProblemOfConfig(checkpoint.config)));
  return Refuse(directory, kRecord, ProblemOfRecord(checkpoint));
}

absl::Status CheckRecordedMachine(const Checkpoint& checkpoint, const std::string& directory,
                                  const v1::PodConfig& config) {
  const state::v1::VirtualMachine& machine = checkpoint.record.vm();
  const v1::HypervisorConfig& asked = config.hypervisor_config();
  std::string problem;
  if (machine.vcpus() != asked.default_vcpus()) {
    problem = absl::StrCat("has ", machine.vcpus(), " vCPUs, and ", kConfig, " has ", asked.default_vcpus());
  } else if (machine.memory_mib() != asked.default_memory_mib()) {
    problem = absl::StrCat("has ", machine.memory_mib(), " MiB, and ", kConfig, " has ", asked.default_memory_mib());
  } else if (!machine.machine_type().empty() && machine.machine_type() != asked.machine_type()) {
    // Earlier releases did not record it.
    problem = absl::StrCat("has a machine \"", absl::CHexEscape(machine.machine_type()), "\", and ", kConfig, " has \"",
                           absl::CHexEscape(asked.machine_type()), "\"");
  }
  return Refuse(directory, kRecord, problem);
}

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/container_sources.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#undef major
#undef minor

#include <string>
#include <utility>

#include "guest/agent/disks.h"

namespace vcd::guest {
namespace {

using ::vcd::agent::v1::DeviceNode;
using ::vcd::agent::v1::DiskAddress;
using ::vcd::agent::v1::RootfsSource;

std::string ShareName(const RootfsSource::Virtiofs& share) {
  return "virtiofs share \"" + share.tag() + "\"" + (share.name().empty() ? "" : " of \"" + share.name() + "\"");
}

std::string RootName(const RootfsSource& source) {
  if (source.has_virtiofs()) return ShareName(source.virtiofs());
  if (source.has_block()) return DiskName(source.block().disk());
  DiskAddress disk;
  disk.mutable_scsi_lun()->set_target(source.scsi_lun().target());
  disk.mutable_scsi_lun()->set_lun(source.scsi_lun().lun());
  return DiskName(disk);
}

}  // namespace

OutcomeOr<std::optional<ContainerSources>> SourceFinder::Find(const ::vcd::agent::v1::CreateContainer& request,
                                                              std::string* missing) {
  ContainerSources sources;
  auto rootfs = roots_.Acquire(request.rootfs());
  if (!rootfs.ok()) return rootfs.outcome();
  if (!rootfs->has_value()) {
    *missing = RootName(request.rootfs());
    return std::optional<ContainerSources>();
  }
  sources.rootfs = *std::move(*rootfs);
  sources.settings = request.linux();
  for (::vcd::agent::v1::Mount& mount : *sources.settings.mutable_mounts()) {
    OutcomeOr<bool> found = FindMount(&mount, &sources, missing);
    if (!found.ok()) return found.outcome();
    if (!*found) return std::optional<ContainerSources>();
  }
  for (DeviceNode& device : *sources.settings.mutable_devices()) {
    OutcomeOr<bool> found = FindDevice(&device, missing);
    if (!found.ok()) return found.outcome();
    if (!*found) return std::optional<ContainerSources>();
  }
  return std::make_optional(std::move(sources));
}

OutcomeOr<bool> SourceFinder::FindMount(::vcd::agent::v1::Mount* mount, ContainerSources* sources,
                                        std::string* missing) {
  if (mount->has_disk()) {
    OutcomeOr<std::string> device = Disk(mount->disk(), missing);
    if (!device.ok()) return device.outcome();
    if (device->empty()) return false;
    mount->set_source(*device);
    const Outcome loaded = options_.load_modules(mount->type());
    return loaded.ok() ? OutcomeOr<bool>(true) : loaded;
  }
  if (!mount->has_share()) {
    // In an agent run for tests the machine's files are the host's.
    if (mount->type() != "bind" || options_.allow_directories) return true;
    return Invalid("mount on " + mount->destination() + ": the machine was given nothing for it");
  }
  if (options_.allow_directories) return Invalid("this agent is not in a virtual machine: it has no shares");
  auto shared = shares_.Acquire(mount->share());
  if (!shared.ok()) return shared.outcome();
  if (!shared->has_value()) {
    *missing = ShareName(mount->share());
    return false;
  }
  mount->set_source((**shared).path);
  sources->shares.push_back((**shared).mount);
  return true;
}

Outcome SourceFinder::NeedDriver(const DeviceNode& device) {
  // Numbers whose drivers are modules here (include/linux/miscdevice.h), and the groups that hold those.
  constexpr struct {
    int64_t minor;
    const char* group;
  } kModules[] = {{200, "tun"}, {229, "virtiofs"}};
  for (const auto& [minor, group] : kModules) {
    if (device.major() != 10 || device.minor() != minor) continue;
    if (Outcome loaded = options_.load_modules(group); !loaded.ok()) return loaded;
  }
  const std::string number = std::to_string(device.major()) + ":" + std::to_string(device.minor());
  if (::access(("/sys/dev/char/" + number).c_str(), F_OK) == 0) return Outcome();
  return Outcome(::vcd::agent::v1::ERROR_CODE_SYSTEM, "device " + device.path() +
                                                          ": the guest's kernel has no driver for the number " +
                                                          number + "; give the pod a kernel that has it built in");
}

OutcomeOr<bool> SourceFinder::FindDevice(DeviceNode* device, std::string* missing) {
  if (device->needs_driver()) {
    if (Outcome found = NeedDriver(*device); !found.ok()) return found;
  }
  if (!device->has_disk()) return true;
  OutcomeOr<std::string> path = Disk(device->disk(), missing);
  if (!path.ok()) return path.outcome();
  if (path->empty()) return false;
  struct stat info {};
  if (::stat(path->c_str(), &info) != 0) return SystemFailure("look at " + *path);
  device->set_type("b");
  device->set_major(gnu_dev_major(info.st_rdev));
  device->set_minor(gnu_dev_minor(info.st_rdev));
  return true;
}

OutcomeOr<std::string> SourceFinder::Disk(const DiskAddress& address, std::string* missing) {
  if (options_.allow_directories) return Invalid("this agent is not in a virtual machine: it has no disks");
  OutcomeOr<std::string> device = FindDisk(address, options_.load_modules);
  if (device.ok() && device->empty()) *missing = DiskName(address);
  return device;
}

}  // namespace vcd::guest

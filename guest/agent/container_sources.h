// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_GUEST_AGENT_CONTAINER_SOURCES_H_
#define VCD_GUEST_AGENT_CONTAINER_SOURCES_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "guest/agent/outcome.h"
#include "guest/agent/rootfs_store.h"
#include "guest/agent/shared_files.h"
#include "guest/agent/shared_mount.h"
#include "proto/vcd/agent/v1/agent.pb.h"

namespace vcd::guest {

// What a container is made of, found in this machine.
struct ContainerSources {
  RootfsLease rootfs;
  // As they were asked for, with what is this machine's filled in: the `source` of mounts of disks and shares, and the
  // number of disks among the devices.
  ::vcd::agent::v1::LinuxSettings settings;
  // What must stay mounted meanwhile.
  std::vector<std::shared_ptr<SharedMount>> shares;
};

// Finds it. Both stores outlive this.
class SourceFinder {
 public:
  SourceFinder(RootfsStore::Options options, RootfsStore& roots, SharedFiles& shares)
      : options_(std::move(options)), roots_(roots), shares_(shares) {}

  // Gives it, or nothing while a device is not there yet, which `missing` then names: try again when devices have
  // changed.
  OutcomeOr<std::optional<ContainerSources>> Find(const ::vcd::agent::v1::CreateContainer& request,
                                                  std::string* missing);

 private:
  // False while its device is not there.
  OutcomeOr<bool> FindMount(::vcd::agent::v1::Mount* mount, ContainerSources* sources, std::string* missing);
  OutcomeOr<bool> FindDevice(::vcd::agent::v1::DeviceNode* device, std::string* missing);
  // Whether the guest's kernel knows the device's number.
  Outcome NeedDriver(const ::vcd::agent::v1::DeviceNode& device);
  OutcomeOr<std::string> Disk(const ::vcd::agent::v1::DiskAddress& address, std::string* missing);

  const RootfsStore::Options options_;
  RootfsStore& roots_;
  SharedFiles& shares_;
};

}  // namespace vcd::guest

#endif  // VCD_GUEST_AGENT_CONTAINER_SOURCES_H_

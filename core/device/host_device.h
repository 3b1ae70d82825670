// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_DEVICE_HOST_DEVICE_H_
#define VCD_CORE_DEVICE_HOST_DEVICE_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/device/host_tree.h"

namespace vcd {

// How a device of the host gets into a machine.
enum class HostDeviceKind {
  kDisk,       // An image file or block device, as a disk.
  kVfioGroup,  // /dev/vfio/N: the PCI devices of the group.
  kGuestsOwn,  // A character device that the guest's kernel has itself, under the same number: /dev/fuse, /dev/net/tun.
};

// What `path` is. kNotFound; kInvalidArgument for what is no device; kUnimplemented, with what to do instead, for a
// character device of the host's kernel alone.
absl::StatusOr<HostDeviceKind> ClassifyHostDevice(const std::string& path);

// The number of a device of kind kGuestsOwn. kNotFound when it is gone, kInvalidArgument when it is another by now.
absl::StatusOr<dev_t> FindGuestsDevice(const std::string& path);

// The addresses (`0000:01:00.0`) of the PCI devices of the group that `path`, /dev/vfio/N, names, sorted: all of them
// go together. Bridges are not devices to pass through, and left out. kNotFound for a group that is not there;
// kFailedPrecondition when one is not bound to vfio-pci.
absl::StatusOr<std::vector<std::string>> FindVfioDevices(const HostTree& host, const std::string& path);

}  // namespace vcd

#endif  // VCD_CORE_DEVICE_HOST_DEVICE_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_CONTAINER_CONFIG_H_
#define VCD_CORE_POD_CONTAINER_CONFIG_H_

#include <string>

#include "absl/status/status.h"
#include "core/device/host_tree.h"
#include "proto/vcd/v1/container.pb.h"
#include "proto/vcd/v1/pod.pb.h"

namespace vcd {

// Fills in what a valid configuration leaves open: an id and, unless nobody reads the rootfs, the file system of an
// image or block device; looks whether the host has what rootfs, mounts and devices name, and can spare it. `field` is
// the path of the message, for errors: kInvalidArgument (INVALID_FIELD) naming it, and kUnimplemented for a device that
// no guest can have. Blocks on the disk.
absl::Status CompleteContainerConfig(v1::ContainerConfig& config, const HostTree& host, bool reads_rootfs,
                                     const std::string& field);

// Whether the host has the volumes of a pod; errors as above.
absl::Status CheckVolumeSources(const v1::PodConfig& config, const std::string& field);

}  // namespace vcd

#endif  // VCD_CORE_POD_CONTAINER_CONFIG_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_POD_CONTAINER_CONFIG_H_
#define VCD_CORE_POD_CONTAINER_CONFIG_H_

#include <string>

#include "absl/status/status.h"
#include "proto/vcd/v1/container.pb.h"

namespace vcd {

// Fills in what a valid configuration leaves open: an id and, unless nobody reads the rootfs, the file system of an
// image; looks whether the host has the rootfs. `field` is the path of the message, for errors: kInvalidArgument
// (INVALID_FIELD) naming it. Blocks on the disk.
absl::Status CompleteContainerConfig(v1::ContainerConfig& config, bool reads_rootfs, const std::string& field);

}  // namespace vcd

#endif  // VCD_CORE_POD_CONTAINER_CONFIG_H_

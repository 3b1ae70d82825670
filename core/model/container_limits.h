// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_MODEL_CONTAINER_LIMITS_H_
#define VCD_CORE_MODEL_CONTAINER_LIMITS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "proto/vcd/v1/container.pb.h"

// A container's limits, v1::ContainerResources, and the files of a control group of version 2 that they are. Pure
// functions.
namespace vcd {

// A file of a control group and what to write to it.
struct CgroupFile {
  std::string name;
  std::string value;
  bool optional = false;  // It says what holds anyhow where there is no such file.

  bool operator==(const CgroupFile& other) const {
    return name == other.name && value == other.value && optional == other.optional;
  }
};

// kInvalidArgument (INVALID_FIELD) naming the field below `field`.
absl::Status ValidateContainerResources(const v1::ContainerResources& resources, const std::string& field);

// `before` with what `change` names in its place, and without what `change` takes away (-1, or a device's limits that
// are all 0).
v1::ContainerResources ChangedResources(const v1::ContainerResources& before, const v1::ContainerResources& change);

// What to write, in order, so that what `change` names has the value that it has in `all`, the limits as they are to
// be. For a new container the two are the same.
std::vector<CgroupFile> CgroupFiles(const v1::ContainerResources& change, const v1::ContainerResources& all);

}  // namespace vcd

#endif  // VCD_CORE_MODEL_CONTAINER_LIMITS_H_

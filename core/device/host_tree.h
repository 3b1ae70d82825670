// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_DEVICE_HOST_TREE_H_
#define VCD_CORE_DEVICE_HOST_TREE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace vcd {

// Where the host's kernel tells of its devices and mounts. Tests make a tree of their own.
struct HostTree {
  std::string sysfs = "/sys";
  std::string mountinfo = "/proc/self/mountinfo";
};

// A file of the kernel without spaces and line ends at its end; empty when it is not there.
std::string ReadKernelLine(const std::string& path);

// The names in a directory of the kernel, sorted; none when it is not there.
std::vector<std::string> ListKernelDirectory(const std::string& path);

}  // namespace vcd

#endif  // VCD_CORE_DEVICE_HOST_TREE_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_DAEMON_CHECK_KERNEL_FILES_H_
#define VCD_DAEMON_CHECK_KERNEL_FILES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/check/host.h"

// What the kernel tells in text.
namespace vcd {

// A small file without the newline at its end; empty when it cannot be read.
std::string KernelText(const Host& host, const std::string& path);

// The number in a file that holds one.
std::optional<uint64_t> KernelNumber(const Host& host, const std::string& path);

// A value of /proc/meminfo, as it stands there (KiB, or a count).
std::optional<uint64_t> MemoryInfo(const Host& host, const std::string& name);

// A mounted file system, of /proc/self/mountinfo (proc(5)).
struct MountedFilesystem {
  std::string mount_point;
  std::string type;
  std::string options;        // Of the mount: `rw,nosuid`.
  std::string super_options;  // Of the file system: `rw,cpu`.
};
std::vector<MountedFilesystem> Mounts(const Host& host);

// Whether a list of words with commas between has this one.
bool HasOption(const std::string& options, const std::string& option);

}  // namespace vcd

#endif  // VCD_DAEMON_CHECK_KERNEL_FILES_H_

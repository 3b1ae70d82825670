// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/namespace_members.h"

#include <unistd.h>

#include <cstdlib>

#include "guest/agent/file_io.h"

namespace vcd::guest {

std::string MountNamespaceOf(pid_t pid) {
  char name[64];
  const ssize_t size = ::readlink(("/proc/" + std::to_string(pid) + "/ns/mnt").c_str(), name, sizeof(name));
  return size > 0 ? std::string(name, static_cast<size_t>(size)) : "";
}

std::vector<pid_t> ProcessesInMountNamespace(const std::string& name) {
  std::vector<pid_t> pids;
  if (name.empty()) return pids;
  for (const std::string& entry : ListDirectory("/proc")) {
    const auto pid = static_cast<pid_t>(std::strtol(entry.c_str(), nullptr, 10));
    if (pid > 0 && MountNamespaceOf(pid) == name) pids.push_back(pid);
  }
  return pids;
}

}  // namespace vcd::guest

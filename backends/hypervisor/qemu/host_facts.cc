// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/host_facts.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>
#include <thread>

namespace vcd {

HostFacts ReadHostFacts(const std::string& proc) {
  HostFacts facts;
  facts.cpus = std::max(1u, std::thread::hardware_concurrency());
  std::ifstream cpuinfo(proc + "/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    if (line.rfind("flags", 0) != 0) continue;
    std::istringstream words(line);
    for (std::string word; words >> word;) facts.is_virtual = facts.is_virtual || word == "hypervisor";
    break;  // All are the same.
  }
  std::ifstream meminfo(proc + "/meminfo");
  std::string key;
  uint64_t kib = 0;
  if (meminfo >> key >> kib && key == "MemTotal:") {
    facts.memory_mib = static_cast<uint32_t>(std::min<uint64_t>(kib >> 10, std::numeric_limits<uint32_t>::max()));
  }
  return facts;
}

}  // namespace vcd

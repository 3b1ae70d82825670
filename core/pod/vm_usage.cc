// SPDX-License-Identifier: Apache-2.0
#include "core/pod/vm_usage.h"

#include <algorithm>

#include "core/hypervisor/process_record.h"
#include "core/os/process_usage.h"

namespace vcd {

std::optional<v1::VmStats> ReadVmUsage(const state::v1::VirtualMachine& record) {
  const absl::StatusOr<ProcessUsage> vmm = ReadProcessUsage(FromRecord(record.process()));
  if (!vmm.ok()) return std::nullopt;
  v1::VmStats stats;
  stats.set_cpu_usage_us(static_cast<uint64_t>(absl::ToInt64Microseconds(vmm->cpu_time)));
  stats.set_memory_rss_bytes(vmm->rss_bytes);
  stats.set_memory_pss_bytes(vmm->pss_bytes);
  stats.set_memory_unique_bytes(vmm->private_bytes);
  stats.set_memory_shared_bytes(vmm->rss_bytes - std::min(vmm->rss_bytes, vmm->private_bytes));
  stats.set_threads(vmm->threads);
  for (const state::v1::SharedDirectory& directory : record.shared_directories()) {
    // virtiofsd does its work in a child, in namespaces of that one's own.
    const ProcessIdentity helper = FromRecord(directory.process());
    std::vector<ProcessIdentity> processes = ChildrenOf(helper);
    processes.push_back(helper);
    for (const ProcessIdentity& process : processes) {
      const absl::StatusOr<ProcessUsage> usage = ReadProcessUsage(process);
      if (!usage.ok()) continue;
      stats.set_helper_processes(stats.helper_processes() + 1);
      stats.set_helper_memory_pss_bytes(stats.helper_memory_pss_bytes() + usage->pss_bytes);
    }
  }
  return stats;
}

}  // namespace vcd

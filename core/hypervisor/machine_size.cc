// SPDX-License-Identifier: Apache-2.0
#include "core/hypervisor/machine_size.h"

#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"

namespace vcd {

absl::Status CheckMachineSize(const v1::HypervisorConfig& config) {
  const uint32_t memory = config.default_memory_mib();
  if (memory < kMinMemoryMib || memory > kMaxMemoryMib) {
    return InvalidField("hypervisor_config.default_memory_mib",
                        absl::StrCat(memory, " MiB; ", kMinMemoryMib, " to ", kMaxMemoryMib, " are possible"));
  }
  const uint32_t vcpus = config.default_vcpus();
  if (vcpus < 1 || vcpus > kMaxVcpus) {
    return InvalidField("hypervisor_config.default_vcpus",
                        absl::StrCat(vcpus, " vCPUs; 1 to ", kMaxVcpus, " are possible"));
  }
  if (config.max_memory_mib() != 0 && (config.max_memory_mib() < memory || config.max_memory_mib() > kMaxMemoryMib)) {
    return InvalidField("hypervisor_config.max_memory_mib",
                        absl::StrCat(config.max_memory_mib(), " MiB; the machine boots with ", memory, ", and ",
                                     kMaxMemoryMib, " are possible"));
  }
  if (config.max_vcpus() != 0 && (config.max_vcpus() < vcpus || config.max_vcpus() > kMaxVcpus)) {
    return InvalidField("hypervisor_config.max_vcpus",
                        absl::StrCat(config.max_vcpus(), " vCPUs; the machine boots with ", vcpus, ", and ", kMaxVcpus,
                                     " are possible"));
  }
  return absl::OkStatus();
}

}  // namespace vcd

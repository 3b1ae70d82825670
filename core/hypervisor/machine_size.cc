// SPDX-License-Identifier: Apache-2.0
#include "core/hypervisor/machine_size.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"
#include "core/status/status_macros.h"

namespace vcd {

namespace {

// The kernel's areas of each vCPU, measured up to 64: 112 MiB do not do for those, 120 do.
constexpr uint32_t kVcpusOfTheLeast = 16;
constexpr uint32_t kVcpusPerMib = 2;

uint32_t ForVcpusMib(uint32_t max_vcpus) {
  return max_vcpus <= kVcpusOfTheLeast ? 0 : (max_vcpus - kVcpusOfTheLeast + kVcpusPerMib - 1) / kVcpusPerMib;
}

}  // namespace

absl::Status CheckMemory(const std::string& field, uint32_t memory_mib, uint32_t max_vcpus, uint32_t guest_needs_mib) {
  const uint32_t for_vcpus = ForVcpusMib(max_vcpus);
  const uint32_t least = guest_needs_mib + for_vcpus;
  VCD_RETURN_IF_ERROR(CheckMostMemory(field, memory_mib));
  if (memory_mib >= least) return absl::OkStatus();
  const std::string why =
      for_vcpus == 0 ? "" : absl::StrCat(" in a machine that can have ", max_vcpus, " vCPUs (max_vcpus)");
  return InvalidField(field, absl::StrCat(memory_mib, " MiB are too little for the guest to boot", why, "; give it ",
                                          least, " MiB or more"));
}

absl::Status CheckMostMemory(const std::string& field, uint32_t memory_mib) {
  if (memory_mib <= kMaxMemoryMib) return absl::OkStatus();
  return InvalidField(field, absl::StrCat(memory_mib, " MiB are too much; at most ", kMaxMemoryMib, " are possible"));
}

absl::Status CheckVcpus(const std::string& field, uint32_t vcpus) {
  if (vcpus >= 1 && vcpus <= kMaxVcpus) return absl::OkStatus();
  return InvalidField(field, absl::StrCat(vcpus, " vCPUs; 1 to ", kMaxVcpus, " are possible"));
}

absl::Status CheckMachineSize(const v1::HypervisorConfig& config, uint32_t guest_needs_mib) {
  const uint32_t vcpus = config.default_vcpus();
  VCD_RETURN_IF_ERROR(CheckVcpus("hypervisor_config.default_vcpus", vcpus));
  if (config.max_vcpus() != 0 && (config.max_vcpus() < vcpus || config.max_vcpus() > kMaxVcpus)) {
    return InvalidField("hypervisor_config.max_vcpus",
                        absl::StrCat(config.max_vcpus(), " vCPUs; the machine boots with ", vcpus, ", and ", kMaxVcpus,
                                     " are possible"));
  }
  const uint32_t memory = config.default_memory_mib();
  VCD_RETURN_IF_ERROR(CheckMemory("hypervisor_config.default_memory_mib", memory, std::max(vcpus, config.max_vcpus()),
                                  guest_needs_mib));
  if (config.max_memory_mib() != 0 && (config.max_memory_mib() < memory || config.max_memory_mib() > kMaxMemoryMib)) {
    return InvalidField("hypervisor_config.max_memory_mib",
                        absl::StrCat(config.max_memory_mib(), " MiB; the machine boots with ", memory, ", and ",
                                     kMaxMemoryMib, " are possible"));
  }
  return absl::OkStatus();
}

}  // namespace vcd

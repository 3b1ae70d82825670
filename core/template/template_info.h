// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_TEMPLATE_TEMPLATE_INFO_H_
#define VCD_CORE_TEMPLATE_TEMPLATE_INFO_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace vcd {

enum class TemplateState {
  kBuilding,  // Or waiting for it.
  kReady,
  kFailed,  // It could not be made, or was of no use.
};

// A template, for those who look.
struct TemplateInfo {
  std::string key;  // A digest of Hypervisor::ImageKey and the trust domain, in hexadecimal.
  std::string trust_domain;
  uint32_t vcpus = 0;
  uint32_t memory_mib = 0;
  std::string kernel_path;
  std::string machine_type;
  absl::Time created_at;

  TemplateState state = TemplateState::kBuilding;
  std::string reason;          // For people.
  uint64_t memory_bytes = 0;   // What the host holds for it, once it is used.
  absl::Time last_used_at;     // By this daemon; infinite past: never.
  uint64_t clones = 0;         // Pods that this daemon started from it,
  uint64_t fallbacks = 0;      // and those that it had to boot because that failed.
  uint32_t warm_machines = 0;  // That wait for a pod.
};

}  // namespace vcd

#endif  // VCD_CORE_TEMPLATE_TEMPLATE_INFO_H_

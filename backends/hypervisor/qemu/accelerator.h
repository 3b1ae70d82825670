// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_ACCELERATOR_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_ACCELERATOR_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "backends/hypervisor/qemu/kvm_probe.h"

namespace vcd {

// How guests run, and why so.
struct AcceleratorChoice {
  std::string name;    // `kvm` or `tcg`.
  std::string reason;  // For people: "a test guest ran under /dev/kvm".
};

// What to use where `wanted` is `kvm`, `tcg`, `auto` or empty; the latter two run the probe and may block for two
// seconds. kInvalidArgument, listing the known, for anything else; `field` is where that stood.
absl::StatusOr<AcceleratorChoice> ChooseAccelerator(const std::string& wanted, const KvmPaths& paths,
                                                    absl::string_view field);

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_ACCELERATOR_H_

// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/accelerator.h"

#include "absl/strings/str_cat.h"
#include "core/status/error_detail.h"

namespace vcd {

absl::StatusOr<AcceleratorChoice> ChooseAccelerator(const std::string& wanted, const KvmPaths& paths,
                                                    absl::string_view field) {
  if (wanted == "kvm" || wanted == "tcg") return AcceleratorChoice{wanted, "configured"};
  if (!wanted.empty() && wanted != "auto") {
    return InvalidField(field, absl::StrCat("unknown accelerator \"", wanted, "\"; known are: auto, kvm, tcg"));
  }
  const absl::Status kvm = ProbeKvm(paths);
  if (kvm.ok()) return AcceleratorChoice{"kvm", absl::StrCat("a test guest ran under ", paths.device)};
  return AcceleratorChoice{"tcg", absl::StrCat("no KVM: ", kvm.message())};
}

}  // namespace vcd

// SPDX-License-Identifier: Apache-2.0
#include "backends/hypervisor/qemu/kernel_parameters.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/status/error_detail.h"

namespace vcd {
namespace {

// COMMAND_LINE_SIZE of x86 (arch/x86/include/asm/setup.h) with the final zero; more is cut off without a word.
constexpr size_t kMaxCommandLineBytes = 2048;

bool HasSpaceOrControl(const std::string& text) {
  for (const char c : text) {
    if (absl::ascii_isspace(static_cast<unsigned char>(c)) || absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      return true;
    }
  }
  return false;
}

}  // namespace

absl::Status CheckKernelParameters(const v1::HypervisorConfig& config) {
  for (int i = 0; i < config.kernel_params_size(); ++i) {
    const v1::Param& param = config.kernel_params(i);
    const std::string field = absl::StrCat("hypervisor_config.kernel_params[", i, "]");
    if (param.key().empty() && param.value().empty()) return InvalidField(field, "has neither key nor value");
    if (HasSpaceOrControl(param.key()) || HasSpaceOrControl(param.value())) {
      return InvalidField(field, absl::StrCat("\"", absl::CHexEscape(absl::StrCat(param.key(), "=", param.value())),
                                              "\" holds white space or a control character; give one parameter each"));
    }
  }
  const size_t size = KernelCommandLine(config).size();
  if (size >= kMaxCommandLineBytes) {
    return InvalidField(
        "hypervisor_config.kernel_params",
        absl::StrCat("the kernel command line would be ", size, " bytes; the kernel takes ", kMaxCommandLineBytes - 1));
  }
  return absl::OkStatus();
}

std::string KernelCommandLine(const v1::HypervisorConfig& config) {
  std::vector<std::string> words = {
      "console=ttyS0",
      config.debug() ? "debug" : "quiet",
      // A panic resets the machine at once, and -no-reboot makes that the end of QEMU.
      "panic=-1",
      // Boot time under TCG: no patching between one CPU and several, no calibration and self-tests.
      "noreplace-smp",
      "no_timer_check",
      "cryptomgr.notests",
      // Pressure stall information, which distributions switch off: how the guest notices that memory gets short.
      "psi=1",
      // Memory that comes while the guest runs is used at once, and only for what can be moved, so that it can go
      // again.
      "memhp_default_state=online_movable",
      // A machine that can grow has addresses above 4 GiB, for which the kernel would set 32 to 64 MiB of its memory
      // aside, to copy for devices that do not reach them. Virtio devices do; 1 MiB is left for one that does not.
      "swiotlb=512",
  };
  for (const v1::Param& param : config.kernel_params()) {
    words.push_back(param.key().empty()     ? param.value()
                    : param.value().empty() ? param.key()
                                            : absl::StrCat(param.key(), "=", param.value()));
  }
  return absl::StrJoin(words, " ");
}

}  // namespace vcd

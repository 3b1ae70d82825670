// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_KVM_PROBE_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_KVM_PROBE_H_

#include <string>

#include "absl/status/status.h"

namespace vcd {

// Where the probe looks; other places in tests.
struct KvmPaths {
  std::string device = "/dev/kvm";
  std::string modules = "/sys/module";
};

// OK when a guest of three real-mode instructions runs to its end under KVM, in a child process, within two seconds: a
// host may offer the device and yet run no stock guest. The error says what is in the way. Blocks.
absl::Status ProbeKvm(const KvmPaths& paths);

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_KVM_PROBE_H_

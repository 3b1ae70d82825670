// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_CONFIG_RESOLVER_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_CONFIG_RESOLVER_H_

#include "absl/status/statusor.h"
#include "backends/hypervisor/qemu/qemu_options.h"
#include "proto/vcd/v1/hypervisor.pb.h"

namespace vcd {

// As Hypervisor::Resolve, but for the accelerator, which is left as it is. Looks at the files it names.
absl::StatusOr<v1::HypervisorConfig> ResolveQemuConfig(const v1::HypervisorConfig& config, const QemuOptions& options);

// That the memory of a configuration whose defaults are filled in does for the guest that its files are of;
// kInvalidArgument naming the field.
absl::Status CheckSizeForGuest(const v1::HypervisorConfig& config);

// That the files of a configuration whose defaults are filled in can be used; kInvalidArgument naming the field.
// Reads no more of them than the headers of the kernel. `advice` ends the message; null: how to get such a file for a
// new pod.
absl::Status CheckQemuFiles(const v1::HypervisorConfig& config, const char* advice = nullptr);

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_CONFIG_RESOLVER_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_IMAGE_KEY_H_
#define VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_IMAGE_KEY_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/asset/file_digest_cache.h"
#include "core/os/cancellation.h"
#include "proto/vcd/v1/hypervisor.pb.h"

namespace vcd {

// Why a machine of that configuration can go on from no image: kFailedPrecondition for people.
absl::Status CheckImageable(const v1::HypervisorConfig& config);

// Of all that machine and image must agree in: the argument vector of a cold boot with nothing of a pod in it, the
// content of VMM, firmware, kernel and initramfs, and the host's CPU and kernel. QEMU loads an image of another CPU
// without an error, and its guest hangs. Blocks on the disk when a file is new to the cache.
absl::StatusOr<std::string> QemuImageKey(const std::vector<std::string>& argv, const v1::HypervisorConfig& config,
                                         FileDigestCache& digests, const CallContext& context);

}  // namespace vcd

#endif  // VCD_BACKENDS_HYPERVISOR_QEMU_QEMU_IMAGE_KEY_H_

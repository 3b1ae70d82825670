// SPDX-License-Identifier: Apache-2.0
#include "core/asset/asset_fields.h"

namespace vcd {

absl::Span<const AssetField> AssetFields() {
  using Config = v1::HypervisorConfig;
  using Digests = v1::AssetDigests;
  static constexpr AssetField kFields[] = {
      {"kernel", "Kernel", &Config::kernel_path, &Config::mutable_kernel_path, &Digests::kernel,
       &Digests::mutable_kernel},
      {"initrd", "Initrd", &Config::initrd_path, &Config::mutable_initrd_path, &Digests::initrd,
       &Digests::mutable_initrd},
      {"image", "Image", &Config::image_path, &Config::mutable_image_path, &Digests::image, &Digests::mutable_image},
      {"firmware", "Firmware", &Config::firmware_path, &Config::mutable_firmware_path, &Digests::firmware,
       &Digests::mutable_firmware},
      {"hypervisor", "Hypervisor", &Config::hypervisor_path, &Config::mutable_hypervisor_path, &Digests::hypervisor,
       &Digests::mutable_hypervisor},
  };
  return kFields;
}

}  // namespace vcd

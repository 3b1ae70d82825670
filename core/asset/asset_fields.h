// SPDX-License-Identifier: Apache-2.0
#ifndef VCD_CORE_ASSET_ASSET_FIELDS_H_
#define VCD_CORE_ASSET_ASSET_FIELDS_H_

#include <string>

#include "absl/types/span.h"
#include "proto/vcd/v1/hypervisor.pb.h"

namespace vcd {

// A file that a machine is made of, wherever it is named.
struct AssetField {
  const char* name;        // `kernel`: of `kernel_path` and `sha512.kernel`.
  const char* annotation;  // `Kernel`: of the annotations `…KernelPath` and `…KernelHash`.
  const std::string& (v1::HypervisorConfig::*path)() const;
  std::string* (v1::HypervisorConfig::*mutable_path)();
  const std::string& (v1::AssetDigests::*digest)() const;
  std::string* (v1::AssetDigests::*mutable_digest)();
};

// Kernel, initrd, image, firmware, hypervisor.
absl::Span<const AssetField> AssetFields();

}  // namespace vcd

#endif  // VCD_CORE_ASSET_ASSET_FIELDS_H_
